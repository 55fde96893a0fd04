"""What is printed to be pasted works in the shell that it is printed in, and any part of a run names the run."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import train
from agents import checkpoint, distributed
from agents.checkpoint import read_policy, read_resume
from evaluation.agents import find_teacher
from evaluation.curves import read_curves
from evaluation.experiments import curves
from system import shell

ROOT = Path(train.__file__).parent
SIZE = "--task anymal_flat --num-envs 4 --threads 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
STAGES = "--agent.max-iterations 1 --refinement.max-iterations 1 --refinement.robots 1 --student.max-iterations 1"
STUDENT = "--student.num-steps-per-env 4 --student.gradient-length 2"
ALONE, WHOLE = SIZE.split(), [*SIZE.split(), *STAGES.split(), *STUDENT.split()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all stages in a folder whose name needs quotes."""
    path = tmp_path_factory.mktemp("my runs") / "it's one"
    assert train.main([*WHOLE, "--run-dir", str(path)]) == 0
    return path


def test_a_command_survives_the_shell_wherever_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for place in (ROOT, ROOT / "tests", tmp_path):
        monkeypatch.chdir(place)
        python, script, *rest = shlex.split(distributed.command(1, "--resume", Path("my runs/it's; a $run")))
        assert shutil.which(python) == sys.executable or Path(python).absolute() == Path(sys.executable)
        assert Path(script).resolve() == ROOT / "train.py"
        assert rest == ["--resume", "my runs/it's; a $run"]


def test_a_module_that_was_run_as_one_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        __spec__ = train.__spec__

    monkeypatch.setitem(sys.modules, "__main__", Installed())
    assert shlex.split(distributed.command(1))[1:] == ["-m", "train"]


@pytest.mark.parametrize(
    ("machines", "of_each", "ranks", "expected"),
    [
        (1, 4, 4, ["--nproc_per_node=4"]),
        (1, 4, 2, ["--nproc_per_node=2"]),
        (1, 2, 4, ["--nproc_per_node=4"]),
        (2, 4, 8, ["--nproc_per_node=4", "--nnodes=2"]),
        (2, 4, 2, ["--nproc_per_node=1", "--nnodes=2"]),
        (2, 1, 3, ["--nproc_per_node=3"]),
    ],
)
def test_torch_s_launcher_is_part_of_the_command_for_as_many_ranks_on_as_many_machines(
    machines: int, of_each: int, ranks: int, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranks of the run to resume, on the machines of a launch that may have started fewer or more."""
    launch = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": str(machines * of_each), "LOCAL_WORLD_SIZE": str(of_each)}
    for name, value in launch.items():
        monkeypatch.setenv(name, value)
    words = shlex.split(distributed.command(ranks, "--resume", "run"))
    assert words[1:3] == ["-m", "torch.distributed.run"] and words[-2:] == ["--resume", "run"]
    assert words[3 : 3 + len(expected)] == expected and words[3 + len(expected)].endswith("train.py")


NAMES = ("", "plan.pt", "walk", "refine", "student", "student/resume.pt", "refine/policy.pt", "walk/curves.csv")


@pytest.mark.parametrize("name", NAMES)
def test_any_part_of_a_run_resumes_all_of_it(whole: Path, name: str) -> None:
    args = train.parse(["--resume", str(whole / name)])
    assert (args.resume, args.stage, args.now) == (whole, None, "student")


def test_any_part_of_a_stage_names_its_policy(whole: Path) -> None:
    for stage in ("walk", "refine", "student"):
        policy = read_policy(whole / stage)
        for file in ("policy.pt", "resume.pt", "curves.csv"):
            assert read_policy(whole / stage / file)["hash"] == policy["hash"]
    assert read_policy(whole / "plan.pt")["kind"] == "student"


def test_a_whole_run_names_the_teacher_where_one_is_needed(whole: Path) -> None:
    teacher = find_teacher(whole)
    assert teacher is not None and teacher.meta["hash"] == read_policy(whole / "refine")["hash"]


@pytest.mark.parametrize("name", ["", "plan.pt", "student", "student/resume.pt"])
def test_any_part_of_a_run_names_its_curves(whole: Path, name: str) -> None:
    assert len(curves.read(whole / name)["samples"]) == 1
    assert len(read_curves([whole / name])["train/samples"]) == (1 if "student" in name else 3)


def test_a_policy_that_was_kept_on_the_way_is_itself(whole: Path) -> None:
    kept = whole / "refine" / "policy_1.pt"
    shutil.copy(whole / "walk" / "policy.pt", kept)
    assert read_policy(kept)["hash"] == read_policy(whole / "walk")["hash"]
    assert checkpoint.run_directory(kept) == whole


@pytest.mark.slow
def test_the_command_that_an_interrupted_training_prints_goes_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "my runs" / "a"
    command = [sys.executable, str(ROOT / "train.py"), "--stage", "teacher", *ALONE, "--max-iterations", "100000"]
    process = subprocess.Popen([*command, "--run-dir", "my runs/a"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (path / "curves.csv").is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    line = next(line for line in process.communicate(timeout=60)[0].splitlines() if line.startswith("Go on with: "))
    reached = read_resume(path)["iteration"]
    pasted = f"{line.removeprefix('Go on with: ')} --max-iterations {reached + 1}"
    assert subprocess.run(pasted, shell=True, cwd=tmp_path, timeout=120).returncode == 0
    assert read_resume(path)["iteration"] == reached + 1


def test_plain_words_stay_plain() -> None:
    assert (shell.quoted("runs/a-1_b"), shell.quoted("my runs")) == ("runs/a-1_b", "'my runs'")


def test_a_run_whose_name_begins_with_a_hyphen_is_no_flag() -> None:
    assert shell.quoted(Path("-my run")) == "'./-my run'" and shell.quoted("-h") == "-h"
    assert shlex.split(distributed.command(1, "--resume", Path("-run")))[-2:] == ["--resume", "./-run"]
