"""What export.py writes, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from policy_files import write_policy, write_student
from torch.testing import assert_close

import export
from agents.checkpoint import load_policy
from anymal_policy import contract, gait, layout
from anymal_policy.deployed import DeployedStudent, usable_heights
from anymal_policy.exporting import difference, example, write_onnx
from anymal_policy.gait import GaitConfig
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import Student, StudentConfig
from envs.drives import PD
from envs.drives.description import describe
from envs.tasks import TASKS


def module(cfg: StudentConfig | None = None) -> DeployedStudent:
    """A random Student with statistics of its own for every entry."""
    generator = torch.Generator().manual_seed(0)
    normalizer = Normalizer(391)
    normalizer.mean.copy_(0.1 * torch.randn(391, generator=generator))
    normalizer.var.copy_(0.5 + torch.rand(391, generator=generator))
    torch.manual_seed(0)
    return DeployedStudent(Student(cfg or StudentConfig()), normalizer, GaitConfig(), 10.0).eval()


def test_estimates_are_in_the_units_of_the_observations() -> None:
    deployed = module()
    measured = example(deployed, 3, torch.Generator().manual_seed(1))
    for last in deployed.student.decoder.modules():  # type: ignore[union-attr]
        if isinstance(last, torch.nn.Linear):
            torch.nn.init.zeros_(last.weight)
            torch.nn.init.zeros_(last.bias)
    deployed.student.decoder.heights[-1].bias.data.fill_(1.0)  # type: ignore[union-attr, operator]
    deployed.student.decoder.gate[-1].bias.data.fill_(-1e4)  # type: ignore[union-attr, operator]
    with torch.no_grad():
        output = deployed(measured, deployed.start(measured))
    statistics = deployed.normalizer
    assert_close(output.privileged, statistics.mean[341:].expand(3, -1))
    assert_close(output.terrain, (statistics.mean + statistics.var.sqrt() + 0.01)[133:341].expand(3, -1))
    assert_close(deployed.normalizer(output.terrain, slice(133, 341)), torch.ones(3, 208))


def test_actions_are_clipped_before_the_gait_and_remembered_so() -> None:
    deployed = module()
    measured = example(deployed, 2, torch.Generator().manual_seed(1))
    torch.nn.init.constant_(deployed.student.head[-1].bias, 1e3)  # type: ignore[arg-type]
    deployed.action_limit = 2.0
    with torch.no_grad():
        output = deployed(measured, deployed.start(measured))
    assert (output.action == 2).all() and (output.memory["phase_offset"] == 2).all()
    phase = gait.advance(gait.TROT, torch.full((2, 4), 2.0), torch.zeros(2, dtype=torch.bool), deployed.cfg)
    assert_close(output.memory["phase"], phase)
    assert_close(output.joint_target, gait.joint_targets(phase, torch.full((2, 12), 2.0), deployed.cfg))


def test_the_network_reads_unknown_and_far_heights_as_the_layout_says() -> None:
    heights = torch.tensor([0.3, torch.nan, 2.5, -0.999, -torch.inf, torch.inf, -4.0, 1.0, -0.0])
    assert torch.equal(usable_heights(heights), torch.from_numpy(layout.usable_heights(heights.numpy())))
    deployed = module()
    measured = example(deployed, 2, torch.Generator().manual_seed(1))
    limited = {**measured, "heights": usable_heights(measured["heights"])}
    assert measured["heights"].isnan().any() and (measured["heights"] > 1).any()
    with torch.no_grad():
        given, expected = (deployed(each, deployed.start(each)) for each in (measured, limited))
    assert torch.equal(given.joint_target, expected.joint_target)
    assert torch.equal(given.terrain, expected.terrain)


def test_an_episode_starts_standing_with_histories_of_the_present() -> None:
    deployed = module()
    measured = example(deployed, 2, torch.Generator().manual_seed(1))
    memory = deployed.start(measured)
    assert_close(memory["joint_position_history"][:, 24:], measured["joint_position"])
    assert_close(memory["joint_velocity_history"][:, 12:], measured["joint_velocity"])
    default = torch.from_numpy(layout.DEFAULT_JOINT_POSITION).float().expand(2, 12)
    assert_close(memory["joint_target_history"][:, 12:], default, atol=1e-5, rtol=0)
    assert (memory["phase"] >= np.pi).all() and (memory["hidden"] == 0).all()


def test_a_teacher_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(tmp_path / "policy.pt", TASKS["anymal_rough"])
    assert export.main(["--checkpoint", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "privileged state that no robot has" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export.main(["--checkpoint", str(tmp_path / "none.pt"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"export.py: There is no checkpoint {tmp_path / 'none.pt'}.\n"


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_student(tmp_path / "policy.pt", TASKS["anymal_rough"])
    arguments = ["--checkpoint", str(tmp_path / "policy.pt"), "--out", str(tmp_path / "policy.pt")]
    assert export.main(arguments) == 2
    assert "name a directory with --out" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert export.main(["--checkpoint", "student.pt", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"export.py: Exporting needs {package}: pip install {package}.\n"


@pytest.mark.slow
def test_the_contract_says_what_the_network_takes_and_gives(exported: Path) -> None:
    record = contract.read(exported / "student.json")
    graph = onnx.load(exported / "student.onnx").graph

    def shapes(values) -> dict[str, list[int | str]]:
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}

    described = {name: entry["shape"] for part in ("inputs", "memory") for name, entry in record[part].items()}
    assert shapes(graph.input) == described
    given = {name: entry["shape"] for name, entry in record["outputs"].items()}
    assert shapes(graph.output) == given | {f"next_{name}": entry["shape"] for name, entry in record["memory"].items()}
    assert list(record["memory"]) == list(module().start(example(module(), 1, torch.Generator())))


@pytest.mark.slow
def test_the_contract_names_policy_drives_and_rates(exported: Path) -> None:
    record = json.loads((exported / "student.json").read_text())
    assert record["policy"]["hash"] == load_policy(exported / "policy.pt").meta["hash"]
    assert record["onnx"]["sha256"] == contract.digest(exported / "student.onnx")
    drive = record["drive"]
    assert (drive["model"], drive["update_hz"], drive["torque_limit_n_m"]) == ("anydrive", 200, 80)
    assert drive["kp_n_m_per_rad"] == pytest.approx(86, rel=0.1)
    assert drive["kd_n_m_s_per_rad"] == pytest.approx(5, rel=0.2)
    assert 0.015 <= drive["rise_time_s"] <= 0.03
    assert record["rates"] == {"policy_hz": 50, "drive_hz": 200, "map_hz": 20}
    assert record["layout"]["observations"]["proprio"][1] | {"meaning": ""} == {
        "name": "gravity_b",
        "start": 3,
        "size": 3,
        "unit": "1",
        "frame": "b",
        "meaning": "",
    }
    assert {"torch", "onnx", "onnxruntime", "commit"} <= set(record["versions"])


def test_ideal_drives_are_described_by_their_gains() -> None:
    drive = describe(PD)
    assert (drive["model"], drive["kp_n_m_per_rad"], drive["kd_n_m_s_per_rad"]) == ("pd", 85, 1.5)
    assert (drive["stall_torque_n_m"], drive["velocity_limit_rad_per_s"]) == (120, 7.5)


@pytest.mark.slow
def test_the_network_knows_nothing_of_the_computer_it_was_made_on(exported: Path) -> None:
    content = (exported / "student.onnx").read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in content and b"stack_trace" not in content


@pytest.mark.slow
def test_every_variant_exports_to_the_same_joint_targets(tmp_path: Path) -> None:
    variant = module(StudentConfig(gate=False, memory="mlp", reconstruct=False, extero=False))
    write_onnx(variant, tmp_path / "student.onnx")
    assert difference(variant, tmp_path / "student.onnx") < 1e-4
    assert difference(module(), tmp_path / "student.onnx") > 1e-3
