"""A policy goes on, and is played and evaluated, with the drives that it was trained with, unless a flag says else."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from drive_worlds import ActuatorNetwork, numbers, scripted
from policy_files import write_policy, write_student
from refusals import refusal
from tiny_runs import STUDENT, TEACHER

import evaluate
import export
import play
import train
from agents.checkpoint import read_policy, read_resume
from envs.config import EnvConfig
from envs.drives import PD, DriveConfig
from envs.drives.network import load
from evaluation import conditions
from evaluation.agents import find_teacher, load_agent
from evaluation.drives import OWN, Drives
from evaluation.exported import drive_of
from system.files import scratch
from training.plan import following
from training.stage import write_plan

RUN, FILE, MOVED = Path("run"), Path("network.npz"), Path("moved.npz")
OTHER = "network.npz is not the actuator network that {} was trained with: name the file of that with --drive.network"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Teacher of two iterations, and the file of the drives that it was trained with."""
    folder = tmp_path_factory.mktemp("drives")
    numbers(ActuatorNetwork(), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        drive = f"--env.drive.model network --env.drive.network {FILE}"
        command = f"--task anymal_flat {drive} --max-iterations 2 --run-dir {RUN}"
        assert train.main([*TEACHER, *command.split()]) == 0
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The digest of the network; a copy of the folder is where everything takes place."""
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    return load(FILE).digest


def change(path: Path = FILE) -> None:
    """Another network at this path."""
    with scratch() as folder:
        shutil.copy(numbers(ActuatorNetwork(seed=1), folder), path)


def evaluated(*flags: str, policy: str = str(RUN)) -> dict[str, Any]:
    """What results say of the drives."""
    small = ["--terrains", "flat", "--episodes", "2", "--threads", "1", "--json", "out.json"]
    assert evaluate.main(["--checkpoint", policy, *small, *flags]) == 0
    return json.loads(Path("out.json").read_text())["settings"]["agents"][0]["drive"]


def evaluation_refused(capsys: Any, *flags: str) -> str:
    """Why an evaluation does not take place."""
    capsys.readouterr()
    assert evaluate.main(["--checkpoint", str(RUN), *flags]) == 2
    said = capsys.readouterr().err
    assert said.startswith("evaluate.py: ") and said.count("\n") == 1
    return said


def test_a_training_records_the_content_of_its_drives_file(run: str) -> None:
    assert read_policy(RUN)["drive_network"] == read_resume(RUN)["drive_network"] == run
    assert read_policy(RUN)["env"]["drive"]["network"] == str(FILE)


def test_nothing_goes_on_when_the_file_has_changed(run: str, capsys: Any) -> None:
    change()
    capsys.readouterr()
    assert OTHER.format(RUN) in refusal(capsys, "--resume", str(RUN), "--max-iterations", "3")
    assert OTHER.format(RUN) in evaluation_refused(capsys)
    assert play.main(["--checkpoint", str(RUN), "--viewer", "video"]) == 2
    assert OTHER.format(RUN) in capsys.readouterr().err
    student = f"--stage student --teacher {RUN} {STUDENT} --num-envs 4 --threads 1 --run-dir student".split()
    assert OTHER.format("the policy to start from") in refusal(capsys, *student)


def test_a_file_that_has_moved_is_named(run: str, capsys: Any) -> None:
    FILE.rename(MOVED)
    capsys.readouterr()
    resume = ["--resume", str(RUN), "--max-iterations", "3"]
    for said in (refusal(capsys, *resume), evaluation_refused(capsys)):
        assert "no actuator network network.npz: name a file with --drive.network, in train.py --env.dr" in said
    assert evaluated("--drive.network", str(MOVED))["network"] == run
    assert train.main([*resume, "--env.drive.network", str(MOVED)]) == 0
    record = read_policy(RUN)
    assert (record["iteration"], record["env"]["drive"]["network"], record["drive_network"]) == (3, str(MOVED), run)
    assert evaluated()["network"] == run


def test_a_resumed_run_cannot_get_other_drives_by_naming_them(run: str, capsys: Any) -> None:
    FILE.rename(MOVED)
    change()
    capsys.readouterr()
    assert OTHER.format(RUN) in refusal(capsys, "--resume", str(RUN), "--env.drive.network", "./network.npz")
    assert "--env.drive.strength cannot change" in refusal(capsys, "--resume", str(RUN), "--env.drive.strength", "0.9")


def test_the_stages_to_come_use_the_file_where_it_is_now(run: str) -> None:
    shutil.copytree(RUN, "all/teacher")
    write_plan(train.parse(["--resume", str(RUN)]), Path("all"))
    FILE.rename(MOVED)
    after = following(train.parse(["--resume", "all", "--env.drive.network", str(MOVED)]))
    assert after is not None and (after.now, after.env.drive.network) == ("student", str(MOVED))


def test_the_bits_of_a_resumed_run_do_not_depend_on_where_the_file_is(run: str) -> None:
    shutil.copytree(RUN, "other")
    shutil.copy(FILE, MOVED)
    weights = []
    for folder, flags in ((str(RUN), []), ("other", ["--env.drive.network", str(MOVED)])):
        assert train.main(["--resume", folder, "--max-iterations", "3", *flags]) == 0
        weights.append(read_policy(folder)["network"])
    assert all(value.equal(weights[1][name]) for name, value in weights[0].items())


def test_results_name_a_file_by_its_content(run: str) -> None:
    shutil.copy(FILE, MOVED)
    assert evaluated() == evaluated("--drive.network", str(MOVED))
    change(MOVED)
    assert evaluated("--drive.network", str(MOVED))["network"] == load(MOVED).digest != run


def test_a_flag_gives_other_drives_to_policies_teacher_and_controls(run: str) -> None:
    own = load_agent(RUN).env.drive
    assert own == DriveConfig("network", str(FILE))
    FILE.unlink()  # pd drives need no file
    for agent in (load_agent(RUN, drives=Drives("pd")), load_agent("zero", drives=Drives("pd"))):
        assert agent.env.drive == PD
    teacher = find_teacher(RUN, Drives("pd"))
    assert teacher is not None and teacher.env.drive == PD
    assert evaluated("--drive.model", "pd", "--drive.strength", "0.8") == asdict(DriveConfig("pd", strength=0.8))


@pytest.mark.parametrize(
    ("drives", "expected"),
    [
        (OWN, DriveConfig(strength=0.9, lag=0.01)),
        (Drives(strength=0.8), DriveConfig(strength=0.8, lag=0.01)),
        (Drives("anydrive"), DriveConfig(strength=0.9, lag=0.01)),
        (Drives("pd"), PD),
        (Drives(network="x.pt", lag=0.02), DriveConfig("network", "x.pt", lag=0.02)),
    ],
)
def test_what_is_not_asked_for_stays_unless_the_model_is_another(drives: Drives, expected: DriveConfig) -> None:
    assert drives(asdict(DriveConfig(strength=0.9, lag=0.01))) == expected


@pytest.mark.parametrize("drives", [Drives("network"), Drives("pd", network="x.pt"), Drives("pd", lag=0.1)])
def test_flags_that_contradict_each_other_are_refused_by_their_names(drives: Drives) -> None:
    with pytest.raises(ValueError, match=r"--drive\.") as refused:
        drives(asdict(DriveConfig()))
    assert "--env.drive" not in str(refused.value)


def test_policies_that_have_no_digest_are_taken_with_what_the_file_holds(tmp_path: Path) -> None:
    drive = DriveConfig("network", str(scripted(ActuatorNetwork(), tmp_path)))
    write_policy(tmp_path / "policy.pt", EnvConfig(drive=drive))
    assert load_agent(tmp_path).env.drive == drive


def test_an_exported_policy_walks_with_the_file_that_is_named(run: str) -> None:
    said = {"model": "network", "torque_limit_n_m": 80.0, "factors": {"strength": 0.9}}
    with pytest.raises(ValueError, match=r"name it with --drive\.network, or the policy's checkpoint instead"):
        drive_of("x.onnx", said)
    assert drive_of("x.onnx", said, Drives(network=str(FILE))) == DriveConfig("network", str(FILE), strength=0.9)
    assert drive_of("x.onnx", said, Drives("pd")) == PD


def test_the_contract_is_of_the_drives_of_the_training_wherever_their_file_is(run: str, capsys: Any) -> None:
    drive = DriveConfig("network", str(FILE))
    write_student(Path("network.pt"), EnvConfig(drive=drive))
    write_student(Path("anydrive.pt"), EnvConfig())
    FILE.rename(MOVED)

    def exported(policy: str, *flags: str) -> int:
        return export.main(["--checkpoint", policy, "--out", "out", *flags])

    assert exported("network.pt") == exported("anydrive.pt", "--drive.network", str(MOVED)) == 2
    said = capsys.readouterr().err
    assert "There is no actuator network network.npz" in said and "leave out --drive.network" in said
    assert exported("network.pt", "--drive.network", str(MOVED)) == 0
    assert json.loads(Path("out/student.json").read_text())["drive"]["network_sha256"] == run


@pytest.mark.parametrize("command", [evaluate, play])
def test_factors_that_are_no_numbers_are_refused(command: Any, capsys: Any) -> None:
    assert command.main(["--drive.lag", "nan"]) == 2
    assert "--drive.lag must be a finite number, not nan." in capsys.readouterr().err
