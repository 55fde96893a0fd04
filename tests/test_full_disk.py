"""A disk that is full or may not be written: training goes on and catches up, and nothing half-written is left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_run import resume, rows, start, training_hash
from full_disk import FULL, full_disk, needs_full_device
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import evaluate
import train
from agents import archive
from agents.checkpoint import WEIGHTS, read_resume
from agents.curves import Curves
from agents.curves import read as read_rows
from agents.interrupt import StopRequest
from agents.saves import Saves
from evaluation import conditions
from evaluation.experiments.experiment import Experiment, Request
from evaluation.experiments.suite import make
from system.files import Troubles, append, whole, write

ROOT = Path(train.__file__).parent


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path / "a.json", "old")
    with pytest.raises(OSError, match=r"No space left on device.*a\.json"), full_disk():
        write(tmp_path / "a.json", "new")
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "a.json") as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert files(tmp_path) == {"a.json"} and (tmp_path / "a.json").read_text() == "old"


def test_what_is_no_file_is_written_as_it_is(tmp_path: Path) -> None:
    write(Path("/dev/null"), "new")
    reading, writing = os.pipe()
    write(Path(f"/dev/fd/{writing}"), "new")
    assert os.read(reading, 9) == b"new"
    os.close(reading), os.close(writing)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "target").read_text() == "new"


def test_what_is_added_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    append(tmp_path / "a", b"one\n")
    with pytest.raises(OSError, match=r"No space left on device.*/a'"), full_disk(room=2):
        append(tmp_path / "a", b"two\n")
    assert (tmp_path / "a").read_bytes() == b"one\n"


def test_troubles_are_said_once_for_all_files_and_their_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    troubles = Troubles("consequence.")
    for _ in range(3):
        for name in ("a", "b"):
            with troubles.tolerated(name):
                raise OSError(28, "No space left on device", name)
    with troubles.tolerated("a"):
        pass
    assert capsys.readouterr().err.count("\n") == 1
    with troubles.tolerated("b"):
        pass
    assert capsys.readouterr().err == "All files are complete again.\n"


def test_training_goes_on_while_the_disk_is_full_and_catches_up(tmp_path: Path, capsys: Any) -> None:
    """Twelve iterations, full from the third to the last but one: logs and policies are those of an empty disk."""
    (tmp_path / "run").mkdir()
    running = start(tmp_path / "run", 12, keep_every=4)
    learn, full = running.learn, full_disk(room=10)

    def learn_one(*args: Any, **kwargs: Any) -> None:
        if running.iteration == 2:
            full.__enter__()
        if running.iteration == 11:
            full.__exit__(None, None, None)
        running.saves.at = -1e9  # every save is due
        learn(*args, **kwargs)

    running.learn = learn_one  # type: ignore
    assert running.train()
    message = capsys.readouterr().err
    assert message.count("warning") == 1 and "No space left on device" in message and str(tmp_path) in message
    assert message.splitlines()[-1] == "All files are complete again."
    start(tmp_path / "whole", 12, keep_every=4).train()
    assert training_hash(tmp_path / "run") == training_hash(tmp_path / "whole")
    for name in ("policy.pt", "policy_4.pt", "policy_8.pt", "policy_12.pt"):
        kept, expected = (archive.read(tmp_path / folder / name, "teacher") for folder in ("run", "whole"))
        assert all(archive.content_hash(kept[part]) == archive.content_hash(expected[part]) for part in WEIGHTS)
    assert [row["iteration"] for row in rows(tmp_path / "run")] == [str(n) for n in range(1, 13)]
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [event.step for event in events.Scalars("policy/std")] == list(range(1, 13))
    assert not [name for name in files(tmp_path / "run") if name.startswith(".")]


def test_a_run_goes_on_where_its_disk_is_still_full(tmp_path: Path) -> None:
    start(tmp_path, 2).train()
    running = resume(tmp_path, 4)
    learn, full = running.learn, full_disk()
    full.__enter__()

    def learn_one(*args: Any, **kwargs: Any) -> None:
        if running.iteration == 3:
            full.__exit__(None, None, None)
        learn(*args, **kwargs)

    running.learn = learn_one  # type: ignore
    assert running.train()
    assert [row["iteration"] for row in rows(tmp_path)] == ["1", "2", "3", "4"]


def test_the_end_of_a_training_waits_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    attempts = []

    def sleep(seconds: float) -> None:
        attempts.append(seconds)
        if len(attempts) == 3:
            full.__exit__(None, None, None)

    monkeypatch.setattr("agents.saves.time.sleep", sleep)
    full = full_disk()
    full.__enter__()
    Saves(tmp_path).write_at_last({"kind": "resume"}, {"kind": "teacher"}, StopRequest())
    assert len(attempts) == 3 and files(tmp_path) == {"resume.pt", "policy.pt"}
    assert capsys.readouterr().err.count("\n") == 1


def test_a_later_stage_waits_for_room_and_the_first_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = ({"kind": "resume"}, {"kind": "teacher"})
    (tmp_path / "walk").mkdir(), (tmp_path / "teacher").mkdir()
    with pytest.raises(OSError, match=r"resume\.pt"), full_disk():
        Saves(tmp_path / "walk").write_at_first(*records, StopRequest())
    for name in ("walk/resume.pt", "plan.pt"):
        write(tmp_path / name, "")
    full = full_disk()
    full.__enter__()
    monkeypatch.setattr("agents.saves.time.sleep", lambda _: full.__exit__(None, None, None))
    Saves(tmp_path / "teacher").write_at_first(*records, StopRequest())
    assert files(tmp_path / "teacher") == {"resume.pt", "policy.pt"}


def test_a_signal_ends_that_waiting(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No space left on device.*resume\.pt"), full_disk(), StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        Saves(tmp_path).write_at_last({"kind": "resume"}, {"kind": "teacher"}, stop)
    assert not files(tmp_path)


def test_damaged_curves_lose_only_the_damaged_rows(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = Curves(path, 0)
    for iteration in (1, 2, 3):
        curves.append({"iteration": iteration, "a": 0.5})
    path.write_bytes(path.read_bytes()[:-6] + b"\n\0\0\0\0\n7,1,2,3\n")
    assert [row["iteration"] for row in read_rows(path)] == ["1", "2"]
    continued = Curves(path, 3)
    continued.append({"iteration": 4, "a": 0.25})
    assert path.read_text() == "iteration,a\n1,0.5\n2,0.5\n4,0.25\n"


@pytest.mark.slow
def test_a_real_training_with_files_that_cannot_grow_ends_with_one_sentence(tmp_path: Path) -> None:
    """The kernel lets no file grow beyond 100 kB, as a full disk would: no save is possible from the beginning."""
    size = "--stage teacher --task anymal_flat --num-envs 4 --threads 1 --agent.num-steps-per-env 4 --max-iterations 1"
    result = subprocess.run(
        [sys.executable, "train.py", *size.split(), "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert result.returncode == 1 and "resume.pt" in result.stderr and "Traceback" not in result.stderr
    assert read_rows(tmp_path / "run" / "curves.csv") == [] and not files(tmp_path / "run")


def test_nothing_is_resumed_from_what_was_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no resume.pt"):
        read_resume(tmp_path)


@needs_full_device
@pytest.mark.parametrize(("line", "code", "lines"), [("tell('x')", 0, 0), ("print('x' * 100_000)", 2, 1)])
def test_a_full_disk_behind_the_console_is_no_traceback(line: str, code: int, lines: int) -> None:
    program = (
        "from system import early, stopping; from system.console import tell\nearly.at_once()\n"
        f"@stopping.stoppable\ndef main():\n    {line}\n    return 0\nraise SystemExit(main())"
    )
    with FULL.open("w") as full:
        result = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (result.returncode, result.stderr.count("\n")) == (code, lines), result.stderr


def test_a_table_is_shown_although_its_files_cannot_be_written(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    few = ["--checkpoint", "zero", "--episodes", "2", "--threads", "1"]
    with full_disk():
        assert evaluate.main([*few, "--terrains", "flat", "--json", "out.json"]) == 2
    shown = capsys.readouterr()
    assert "zero" in shown.out and "No space left" in shown.err.splitlines()[-1] and not Path("out.json").exists()


def test_a_suite_tells_its_table_although_its_results_cannot_be_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = Experiment("small", lambda _: {"versions": {}}, lambda _: [{"a": 1}], lambda _: "| the table |", Any)
    (project / "out").mkdir()
    with full_disk(), pytest.raises(OSError, match="No space left"):
        make(experiment, Request([]), project / "out")
    assert "| the table |" in capsys.readouterr().out
