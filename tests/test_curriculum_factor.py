from __future__ import annotations

import math

import pytest
import torch

from envs.curriculum import CurriculumConfig, curriculum_factor, progress_label

CFG = CurriculumConfig()


def test_factor_reaches_the_papers_values_after_100_and_200_iterations() -> None:
    """c_0 = 0.3 and d = 0.98 give c_100 = 0.85 and c_200 = 0.98 at 250,000 samples per iteration."""
    assert curriculum_factor(0, CFG) == pytest.approx(0.3)
    assert curriculum_factor(100 * 250_000, CFG) == pytest.approx(0.85, abs=0.005)
    assert curriculum_factor(200 * 250_000, CFG) == pytest.approx(0.98, abs=0.005)
    assert curriculum_factor(1e12, CFG) == 1.0


def test_factor_follows_the_papers_recursion() -> None:
    factor = curriculum_factor(7 * 250_000, CFG)
    assert curriculum_factor(8 * 250_000, CFG) == pytest.approx(factor**0.98)
    assert factor < curriculum_factor(7.5 * 250_000, CFG) < curriculum_factor(8 * 250_000, CFG)


def test_label_needs_progress_without_a_fall_and_a_command_worth_following() -> None:
    progress = torch.tensor([0.3, 0.1, 0.5, 0.3, -0.5, math.nan])
    commanded = torch.tensor([0.4, 1.0, 1.0, 0.39, 1.0, 1.0])
    fell = torch.tensor([False, False, True, False, False, False])
    label, usable = progress_label(progress, commanded, fell, CFG)
    assert label.tolist() == [True, False, False, True, False, False]
    assert usable.tolist() == [True, True, True, False, True, True]


def test_progress_is_a_share_of_the_command_between_the_least_and_what_suffices() -> None:
    commanded = torch.tensor([0.1, 0.4, 0.7, 1.3])
    needed = torch.tensor([0.2, 4 / 7 * 0.4, 0.4, 0.4])
    for beyond in (-1e-3, 1e-3):
        label, _ = progress_label(needed + beyond, commanded, torch.zeros(4, dtype=torch.bool), CFG)
        assert label.tolist() == [beyond > 0] * 4
