"""The mean of several policies of one descent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import start, start_student

from agents import archive, mean
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


def test_shares_weigh_the_policies(tmp_path: Path) -> None:
    files, out = kept(tmp_path), tmp_path / "mean.pt"
    assert mean.main([*files[:2], "--fractions", "0.3", "0.7", "--out", str(out)]) == 0
    (one, two), averaged = (read_policy(file)["network"] for file in files[:2]), read_policy(out)["network"]
    for name, weight in averaged.items():
        torch.testing.assert_close(weight, 0.3 * one[name] + 0.7 * two[name])


@pytest.mark.parametrize("fractions", [["0.5"], ["0.5", "0.6"], ["1.5", "-0.5"], ["nan", "nan"]])
def test_fractions_are_positive_one_for_each_policy_and_1_together(
    tmp_path: Path, capsys: Any, fractions: list[str]
) -> None:
    message = refusal(capsys, *kept(tmp_path)[:2], "--fractions", *fractions, "--out", str(tmp_path / "mean.pt"))
    assert "--fractions needs" in message


def test_a_teachers_critic_is_averaged_too(tmp_path: Path) -> None:
    start(tmp_path, 2, keep_every=1, normalizer_until=1).train()
    record = mean.mean([tmp_path / "policy_1.pt", tmp_path / "policy_2.pt"])
    both = [read_policy(tmp_path / f"policy_{iteration}.pt")["critic"]["head.0.weight"] for iteration in (1, 2)]
    torch.testing.assert_close(record["critic"]["head.0.weight"], (both[0] + both[1]) / 2)


@pytest.mark.parametrize(
    ("other", "reason"),
    [(lambda run: start_student(run, 1, seed=3), "too far apart"), (lambda run: start(run, 1), "differ in kind")],
    ids=["student of another start", "teacher"],
)
def test_policies_without_a_common_descent_have_no_mean(tmp_path: Path, capsys: Any, other: Any, reason: str) -> None:
    files = kept(tmp_path / "one")
    other(tmp_path / "two").train()
    message = refusal(capsys, files[0], str(tmp_path / "two" / "policy.pt"), "--out", str(tmp_path / "mean.pt"))
    assert reason in message
    assert not (tmp_path / "mean.pt").exists()


def test_runs_that_went_on_from_one_another_have_a_mean(tmp_path: Path) -> None:
    files = kept(tmp_path / "one")
    continued = start_student(tmp_path / "two", 1, seed=3)
    continued.init_from(read_policy(files[-1]))
    continued.train()
    last = tmp_path / "two" / "policy.pt"
    assert mean.mean([Path(files[0]), last])["seed"] == read_policy(last)["seed"] == 3


def test_policies_with_different_normalisers_have_no_mean(tmp_path: Path, capsys: Any) -> None:
    start(tmp_path, 2, keep_every=1).train()
    files = [str(tmp_path / f"policy_{iteration}.pt") for iteration in (1, 2)]
    assert "name later policies" in refusal(capsys, *files, "--out", str(tmp_path / "mean.pt"))


def test_critics_of_different_versions_have_no_mean(tmp_path: Path, capsys: Any) -> None:
    start(tmp_path, 2, keep_every=1).train()
    one, other = tmp_path / "policy_1.pt", tmp_path / "policy_2.pt"
    record = read_policy(other)
    del record["hash"]
    record["critic"] = {f"own.{name}": weight for name, weight in record["critic"].items()}
    archive.write(other, record)
    assert "critics" in refusal(capsys, str(one), str(other), "--out", str(tmp_path / "mean.pt"))


def test_one_policy_has_no_mean(tmp_path: Path, capsys: Any) -> None:
    assert "two policies or more" in refusal(capsys, kept(tmp_path)[0], "--out", str(tmp_path / "mean.pt"))
