"""A policy that asks itself for more speed uphill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import start, start_student
from tensordict import TensorDict

from agents import uphill
from agents.checkpoint import load_policy

GROUPS = {"proprio": 133, "extero": 208, "privileged": 50, "proprio_noisy": 133, "extero_noisy": 208}


@pytest.mark.parametrize("stage", [start, start_student])
def test_shifted_policy_acts_as_at_a_command_that_grows_with_the_pitch(tmp_path: Path, stage: Any) -> None:
    stage(tmp_path, 1, **({"head_scale": 1.0} if stage is start else {})).train()
    assert uphill.main([str(tmp_path), "--gain", "0.7", "--out", str(tmp_path / "shifted.pt")]) == 0
    torch.manual_seed(0)
    obs = TensorDict({name: torch.randn(5, size) for name, size in GROUPS.items()}, 5)
    before, after = load_policy(tmp_path), load_policy(tmp_path / "shifted.pt")
    head = before.network.head
    read: list[torch.Tensor] = []
    head[0].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    before.act(obs)
    group = before.groups[0]
    faster = obs[group].clone()
    faster[:, 0] -= 0.7 * faster[:, 3]
    wanted = read[0].clone()
    scale = before.normalizer.var[0].sqrt() + before.normalizer.eps
    wanted[:, 0] += (faster[:, 0] - obs[group][:, 0]) / scale
    torch.testing.assert_close(after.act(obs), head(wanted).detach(), rtol=1e-4, atol=1e-5)
    assert (after.act(obs) - before.act(obs)).abs().max() > 1e-3


def test_what_is_no_policy_is_refused_in_one_sentence(tmp_path: Path, capsys: Any) -> None:
    assert uphill.main([str(tmp_path / "none.pt"), "--gain", "0.7", "--out", str(tmp_path / "out.pt")]) == 2
    message = capsys.readouterr().err
    assert message.startswith("agents.uphill: ") and message.count("\n") == 1
