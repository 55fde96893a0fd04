"""The mean of several policies of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import start, start_student

from agents import mean
from agents.checkpoint import load_policy, read_policy


def kept(directory: Path) -> list[str]:
    """Policies that a Student's run has kept on its way."""
    start_student(directory, 3, keep_every=1).train()
    return [str(directory / f"policy_{iteration}.pt") for iteration in (1, 2, 3)]


def refusal(capsys: Any, *argv: str) -> str:
    """The one line with which the command line is refused."""
    assert mean.main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith("agents.mean: ") and message.count("\n") == 1
    return message


def test_every_weight_is_the_mean_and_the_rest_is_the_last_policys(tmp_path: Path) -> None:
    files, out = kept(tmp_path), tmp_path / "mean.pt"
    assert mean.main([*files, "--out", str(out)]) == 0
    records, averaged = [read_policy(file) for file in files], read_policy(out)
    for name, weight in averaged["network"].items():
        torch.testing.assert_close(weight, sum(record["network"][name] for record in records) / 3)
    assert (averaged["iteration"], averaged["mean_of"]) == (3, [record["hash"] for record in records])
    load_policy(out)


def test_a_teachers_critic_is_averaged_too(tmp_path: Path) -> None:
    start(tmp_path, 2, keep_every=1, normalizer_until=1).train()
    record = mean.mean([tmp_path / "policy_1.pt", tmp_path / "policy_2.pt"])
    both = [read_policy(tmp_path / f"policy_{iteration}.pt")["critic"]["head.0.weight"] for iteration in (1, 2)]
    torch.testing.assert_close(record["critic"]["head.0.weight"], (both[0] + both[1]) / 2)


@pytest.mark.parametrize(("other", "seed"), [(start, 1), (start_student, 3)])
def test_policies_of_two_trainings_have_no_mean(tmp_path: Path, capsys: Any, other: Any, seed: int) -> None:
    files = kept(tmp_path / "one")
    other(tmp_path / "two", 1, seed=seed).train()
    message = refusal(capsys, files[0], str(tmp_path / "two" / "policy.pt"), "--out", str(tmp_path / "mean.pt"))
    assert "are not of one training" in message
    assert not (tmp_path / "mean.pt").exists()


def test_policies_with_different_normalisers_have_no_mean(tmp_path: Path, capsys: Any) -> None:
    start(tmp_path, 2, keep_every=1).train()
    files = [str(tmp_path / f"policy_{iteration}.pt") for iteration in (1, 2)]
    assert "name later policies" in refusal(capsys, *files, "--out", str(tmp_path / "mean.pt"))


def test_one_policy_has_no_mean(tmp_path: Path, capsys: Any) -> None:
    assert "two policies or more" in refusal(capsys, kept(tmp_path)[0], "--out", str(tmp_path / "mean.pt"))
