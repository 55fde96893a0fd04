"""Checkpoints: what they hold, and that damaged, foreign or hostile files are refused with one sentence."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_env import FakeConfig, FakeEnv

from agents import archive, checkpoint
from agents.archive import CheckpointError
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.config import TeacherConfig
from agents.runner import TeacherRunner


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    make_runner(path).save(str(path / "resume.pt"))
    return path


def make_runner(path: Path, engine: str = "mujoco") -> TeacherRunner:
    torch.manual_seed(0)
    cfg = TeacherConfig(max_iterations=1, num_steps_per_env=4, warm_up_steps=2, head_scale=1.0)
    return TeacherRunner(FakeEnv(FakeConfig(num_envs=4, engine=engine)), cfg, "fake", path, "fp32")


def refused(path: Path, action: Any = load_policy) -> str:
    """The sentence with which `action` refuses the file."""
    with pytest.raises(CheckpointError) as error:
        action(path)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    assert len(re.findall(r"\.(\s|$)", message)) == 1, message
    return message


def test_loaded_policy_acts_like_the_trained_one(tmp_path: Path) -> None:
    runner = make_runner(tmp_path)
    runner.warm_up()
    runner.save(str(tmp_path / "resume.pt"))
    obs = runner.env.get_observations()
    policy = load_policy(tmp_path)
    torch.testing.assert_close(policy.act(obs), runner.actor(obs).detach(), atol=1e-6, rtol=0)
    assert policy.act(obs).abs().max() > 0.02
    policy.reset(torch.ones(4, dtype=torch.bool))


def test_policy_carries_task_configurations_versions_and_seed(run_dir: Path) -> None:
    meta = load_policy(run_dir / "policy.pt").meta
    assert meta["task"] == "fake" and meta["env"]["num_envs"] == 4 and meta["agent"]["max_iterations"] == 1
    assert meta["seed"] == 1 and meta["iteration"] == 0 and meta["precision"] == "fp32"
    assert {"torch", "mujoco", "rsl-rl-lib", "commit"} <= set(meta["versions"]) and len(meta["hash"]) == 64


def test_versions_are_those_of_the_engine_that_moved_the_robots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint.importlib.metadata, "version", str)
    ours = {"mujoco-warp", "warp-lang"}
    assert ours <= set(make_runner(tmp_path, "warp").versions)
    assert not ours & set(make_runner(tmp_path).versions)


def test_policy_file_is_small_and_free_of_code(run_dir: Path) -> None:
    assert (run_dir / "policy.pt").stat().st_size < 5_000_000
    assert isinstance(torch.load(run_dir / "policy.pt", weights_only=True), dict)


def test_missing_file_and_empty_directory_are_named(tmp_path: Path) -> None:
    assert "no checkpoint" in refused(tmp_path / "nothing.pt")
    assert "holds no policy.pt" in refused(tmp_path)
    assert "holds no resume.pt" in refused(tmp_path, read_resume)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_file_is_refused(run_dir: Path, tmp_path: Path, share: float) -> None:
    data = (run_dir / "policy.pt").read_bytes()
    broken = tmp_path / "policy.pt"
    broken.write_bytes(data[: int(share * len(data))])
    refused(broken)


def test_a_flipped_bit_of_a_weight_is_noticed(run_dir: Path, tmp_path: Path) -> None:
    weight = read_policy(run_dir)["network"]["head.0.weight"].numpy().tobytes()[:64]
    data = bytearray((run_dir / "policy.pt").read_bytes())
    data[data.index(weight) + 5] ^= 1
    broken = tmp_path / "policy.pt"
    broken.write_bytes(data)
    refused(broken)


def test_altered_metadata_is_noticed_even_in_a_well_formed_file(run_dir: Path, tmp_path: Path) -> None:
    record = torch.load(run_dir / "policy.pt", weights_only=True)
    record["samples"] += 1
    torch.save(record, tmp_path / "policy.pt")
    assert "altered" in refused(tmp_path / "policy.pt")


def test_random_bytes_and_text_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"hello", os.urandom(4096), b"PK\x03\x04" + os.urandom(4096)):
        (tmp_path / "policy.pt").write_bytes(content)
        refused(tmp_path / "policy.pt")


class Payload:
    """A pickle that creates a file when it is opened carelessly."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_malicious_pickles_are_refused_unexecuted(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Payload(str(trace))))
    torch.save({"kind": "teacher", "hash": "0", "network": Payload(str(trace))}, tmp_path / "zip.pt")
    torch.save({"kind": Payload(str(trace))}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    for name in ("plain.pt", "zip.pt", "old.pt"):
        assert "executed" in refused(tmp_path / name)
        refused(tmp_path / name, read_resume)
    assert not trace.exists()


def test_checkpoint_of_stock_rsl_rl_is_called_foreign(tmp_path: Path) -> None:
    stock = {"actor_state_dict": {}, "critic_state_dict": {}, "optimizer_state_dict": {}, "iter": 3, "infos": None}
    torch.save(stock, tmp_path / "model_3.pt")
    assert "another program" in refused(tmp_path / "model_3.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    assert "another program" in refused(tmp_path / "tensor.pt")


def test_bombs_of_small_files_are_refused(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    for value in (torch.zeros(1).expand(10**12), endless, torch.zeros(3).to_sparse()):
        torch.save({"kind": "teacher", "hash": "0", "network": value}, tmp_path / "policy.pt")
        refused(tmp_path / "policy.pt")


def test_kinds_are_not_mixed_up(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "renamed.pt").write_bytes((run_dir / "resume.pt").read_bytes())
    assert "holds a resume" in refused(tmp_path / "renamed.pt")
    assert "holds a teacher" in refused(run_dir / "policy.pt", read_resume)


def test_network_of_another_shape_is_refused(run_dir: Path, tmp_path: Path) -> None:
    record = read_policy(run_dir)
    del record["hash"]
    record["network"]["head.0.weight"] = torch.zeros(3, 3)
    archive.write(tmp_path / "policy.pt", record)
    assert "shape" in refused(tmp_path / "policy.pt")
    del record["critic"]
    archive.write(tmp_path / "policy.pt", record)
    assert "lacks critic" in refused(tmp_path / "policy.pt")


@pytest.mark.parametrize("part", ["network", "normalizer", "std", "critic"])
def test_weights_that_are_not_finite_are_refused(run_dir: Path, tmp_path: Path, part: str) -> None:
    record = read_policy(run_dir)
    del record["hash"]
    next(tensor for tensor in record[part].values() if tensor.is_floating_point()).view(-1)[0] = torch.nan
    archive.write(tmp_path / "policy.pt", record)
    assert "not finite" in refused(tmp_path / "policy.pt")


def test_a_training_whose_weights_are_not_finite_is_refused(run_dir: Path, tmp_path: Path) -> None:
    record = read_resume(run_dir)
    del record["hash"]
    record["algorithm"]["actor_state_dict"]["mlp.teacher.head.0.bias"] = torch.tensor([torch.inf])
    archive.write(tmp_path / "resume.pt", record)
    assert "not finite" in refused(tmp_path, read_resume)


def test_any_file_of_a_run_stands_for_it(run_dir: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(run_dir, tmp_path / "run")
    (whole / "events.out").touch()
    assert read_resume(whole / "events.out")["hash"] == read_resume(whole)["hash"]
    (whole / "curves.csv").touch()
    assert read_policy(whole / "curves.csv")["hash"] == read_policy(whole)["hash"]
    with pytest.raises(CheckpointError, match="kind|resume"):
        read_resume(whole / "policy.pt")
    (whole / "best.pt").write_bytes(b"another policy")
    with pytest.raises(CheckpointError, match="best.pt"):
        read_policy(whole / "best.pt")


def test_directory_of_a_run_stands_for_its_policy(run_dir: Path) -> None:
    assert load_policy(str(run_dir)).meta["hash"] == load_policy(run_dir / checkpoint.POLICY_FILE).meta["hash"]
