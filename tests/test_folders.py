"""One process works in a folder at a time: trainings and suites of experiments."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from refusals import refusal

import train
from agents import run_dir
from agents.checkpoint import read_resume
from agents.runner import TeacherRunner
from system import files
from system.folders import LOCK, FolderInUse, free_folder, taken

TINY = "--stage teacher --task anymal_flat --num-envs 4 --threads 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
HOLD = "import sys; from pathlib import Path; from system.folders import taken\nwith taken(Path(sys.argv[1])): {}"
ROOT = Path(train.__file__).parent


def started(folder: Path, work: str) -> subprocess.Popen[str]:
    """A process that works in the folder."""
    command = [sys.executable, "-c", HOLD.format(work), str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_folder_is_in_use_until_its_process_ends_however_it_does(tmp_path: Path) -> None:
    process = started(tmp_path / "run", "print('taken', flush=True); input()")
    assert process.stdout is not None and process.stdout.readline() == "taken\n"
    with pytest.raises(FolderInUse, match=f"run is in use by process {process.pid} of "), taken(tmp_path / "run"):
        pass
    process.kill()
    process.wait()
    with taken(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).exists()
    process.communicate()


def test_a_folder_that_stays_empty_goes_and_one_with_results_stays_without_the_lock(tmp_path: Path) -> None:
    with taken(tmp_path / "a" / "empty"):
        pass
    with taken(tmp_path / "full"):
        (tmp_path / "full" / "file").touch()
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "full", "file"}


def test_who_loses_its_folder_leaves_the_lock_of_the_next_one_alone(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with ExitStack() as next_one:
        with taken(folder):
            shutil.rmtree(folder)
            next_one.enter_context(taken(folder))
        assert (folder / LOCK).is_file()
        with pytest.raises(FolderInUse), taken(folder):
            pass


def test_a_name_that_somebody_has_gets_a_number(tmp_path: Path) -> None:
    assert [free_folder(tmp_path / "run").name for _ in range(3)] == ["run", "run_2", "run_3"]


def test_trainings_that_begin_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2026, 1, 1)

    monkeypatch.setattr(run_dir, "datetime", Stopped)
    monkeypatch.chdir(tmp_path)
    with run_dir.owned(None, None, "task", None) as one, run_dir.owned(None, None, "task", None) as other:
        assert one != other and one.parent == other.parent


def test_a_folder_in_which_a_training_begins_is_refused_to_another(tmp_path: Path, capsys: Any) -> None:
    with taken(tmp_path / "run"):
        assert "in use by process" in refusal(capsys, *TINY.split(), "--run-dir", str(tmp_path / "run"))


def test_a_training_under_way_is_not_resumed_by_another(tmp_path: Path, capsys: Any) -> None:
    path = str(tmp_path / "run")
    assert train.main([*TINY.split(), "--run-dir", path, "--max-iterations", "1"]) == 0
    assert [file.name for file in (tmp_path / "run").iterdir() if file.name == LOCK] == []
    with taken(tmp_path / "run"):
        assert "in use by process" in refusal(capsys, "--resume", path, "--max-iterations", "2")
    args = train.parse(["--resume", path, "--max-iterations", "2"])
    assert train.main(["--resume", path, "--max-iterations", "2"]) == 0  # meanwhile somebody else went on
    assert train.stages(args) == 2 and "has gone on since" in capsys.readouterr().err
    assert read_resume(path)["iteration"] == 2


def test_a_run_that_ends_before_its_first_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        assert (tmp_path / "runs" / "a" / "plan.pt").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(TeacherRunner, "train", interrupted)
    size = ["--task", "anymal_flat", "--num-envs", "4", "--threads", "1", "--agent.num-steps-per-env", "4"]
    assert train.main([*size, "--run-dir", str(tmp_path / "runs" / "a")]) == 130
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_was_in_its_folder_before_a_run_stays(tmp_path: Path) -> None:
    task = tmp_path / "calm" / "task.py"
    task.parent.mkdir()
    task.write_text("mine")
    with run_dir.owned(task.parent, None, "task", None) as folder:
        (folder / "plan.pt").touch()
    assert [path.name for path in task.parent.iterdir()] == ["task.py"]


@pytest.mark.parametrize("name", ["policy.pt", "student/curves.csv"])
def test_what_is_left_of_a_run_is_not_replaced_by_another(name: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("old")
    assert "which a run would replace" in refusal(capsys, *TINY.split(), "--run-dir", str(tmp_path))
    assert (tmp_path / name).read_text() == "old"


def test_a_scratch_folder_is_gone_afterwards_and_when_the_process_is_ended(tmp_path: Path) -> None:
    with files.scratch(tmp_path, ".export-") as made:
        (made / "part").write_text("half")
        files.forget_unfinished()
        assert not made.exists()
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError, match="none"), files.scratch(tmp_path / "none", ".export-"):
        pass


def test_what_a_killed_training_was_writing_goes_when_it_goes_on(tmp_path: Path) -> None:
    stage = tmp_path / "teacher"
    stage.mkdir()
    names = ("resume.pt", ".hidden", ".notes.txt", ".resume.short.pt", ".video.0123456789ab.mp4")
    kept = [stage / name for name in names]
    parts = [stage / ".resume.0123456789ab.pt", tmp_path / ".plan.ba9876543210.pt"]
    for path in (*kept, *parts):
        path.touch()
    with run_dir.owned(None, tmp_path, "task", None):
        assert all(path.exists() for path in kept) and not any(path.exists() for path in parts)
