"""Errors of the heights that Students see, sorted as S8's noise is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from envs.height_noise import CONDITIONS
from envs.sensors import NoisySensors
from evaluation.experiments.sensed import CASES, SENSED_MAPS, compared
from evaluation.map_errors import MapErrors, described

ROBOTS, LOOKS = 40, 60


def sums(error: Any, dead: int = 0) -> dict[str, Tensor]:
    """What each robot adds up of errors (looks, robots, 4, 52) m; the last `dead` robots do not count."""
    sensors, truth = NoisySensors.__new__(NoisySensors), torch.zeros(ROBOTS, 4, 52)
    env: Any = SimpleNamespace(num_envs=ROBOTS, sensors=sensors, state=SimpleNamespace(height_samples=truth))
    errors = MapErrors(env, lambda: torch.arange(ROBOTS) < ROBOTS - dead)
    step: Any = SimpleNamespace(done=torch.zeros(ROBOTS, dtype=torch.bool))
    for look in error:
        sensors.perceived = {"height_samples": truth + look}
        errors.observe(step)
    return errors.finish()


def measured(error: Any, dead: int = 0) -> dict[str, Any]:
    """What is found of them all."""
    return described(sums(error, dead))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_errors_of_known_size_are_found_by_point_foot_and_episode() -> None:
    error = 0.005 * normal(LOOKS, ROBOTS, 4, 52) + 0.04 * normal(LOOKS, ROBOTS, 4, 1, seed=1)
    found = measured(error + 0.1 * normal(1, ROBOTS, 4, 1, seed=2) + 0.02)
    assert found["point_vertical"] == pytest.approx(0.005, rel=0.25)  # bins of 2 mm
    assert found["foot_vertical"] == pytest.approx(0.04, rel=0.05)
    assert found["episode_vertical"] == pytest.approx(0.1, rel=0.15)
    assert found["all_bias"] == pytest.approx(0.02, abs=0.02) and found["outlier_probability"] < 0.01
    assert found["all_spread"] == pytest.approx((0.005**2 + 0.04**2 + 0.1**2) ** 0.5, rel=0.15)


def test_errors_that_last_are_told_from_those_of_one_look() -> None:
    """Half of the variance of a foot's mean lasts, the other half is drawn anew every second."""
    anew = normal(LOOKS, ROBOTS, 4, 1)
    held = normal(2, ROBOTS, 4, 1, seed=1).repeat_interleave(LOOKS // 2, dim=0)
    for error, expected in ((anew, (0.0, 0.0)), (held, (25 / 30, 5 / 30)), (anew + held, (25 / 60, 5 / 60))):
        found = measured(0.05 * error.expand(-1, -1, -1, 52))
        assert found["foot_after_0.1_s"] == pytest.approx(expected[0], abs=0.15)
        assert found["foot_after_0.5_s"] < 0.5 * found["foot_after_0.1_s"] + 0.1


def test_what_a_foots_samples_have_in_common_is_told_from_what_is_each_ones_own() -> None:
    own, common = 0.03 * normal(LOOKS, ROBOTS, 4, 52), 0.04 * normal(LOOKS, ROBOTS, 4, 1, seed=1)
    assert measured(own + common)["within_foot"] == pytest.approx(16 / 25, abs=0.03)


def test_outliers_are_counted_and_sized() -> None:
    error = 0.005 * normal(LOOKS, ROBOTS, 4, 52)
    error[..., 7] += 0.2
    found = measured(error)
    assert found["outlier_probability"] == pytest.approx(1 / 52, rel=0.3)
    assert found["outlier"] == pytest.approx(0.2, rel=0.1)


def test_what_is_unknown_is_counted_where_it_is_and_robots_at_rest_are_not() -> None:
    error = torch.zeros(LOOKS, ROBOTS, 4, 52)
    error[..., 0] = torch.nan  # the innermost ring, 0.08 m ahead
    error[:, -10:] = 0.5
    found = measured(error, dead=10)
    assert found["all_unknown"] == pytest.approx(1 / 52) and found["under_unknown"] == pytest.approx(1 / 6)
    assert found["ahead_unknown"] == 0.0 and found["all_bias"] == 0.0


def test_nothing_known_is_nothing_measured() -> None:
    found = measured(torch.full((2, ROBOTS, 4, 52), torch.nan))
    assert found["all_unknown"] == 1.0 and found["all_bias"] is None and found["point_vertical"] is None


def test_robots_in_several_batches_are_measured_as_side_by_side() -> None:
    error = 0.01 * normal(LOOKS, ROBOTS, 4, 52) + 0.1 * normal(1, ROBOTS, 4, 1, seed=2)
    error[:, ::3, 0, :20] = torch.nan
    halves = [sums(torch.cat([part, part], dim=1)) for part in (error[:, ::2], error[:, 1::2])]
    together = {name: torch.cat([half[name][: ROBOTS // 2] for half in halves]) for name in halves[0]}
    assert described(together) == pytest.approx(measured(error), rel=1e-9)


def test_the_suite_shows_success_errors_and_s8_beside_them() -> None:
    errors = measured(0.005 * normal(LOOKS, ROBOTS, 4, 52))
    base = {"checkpoint": "s.pt", "episodes": 2, "terrain": "rough", "success": 0.5, "ci95": [0.1, 0.9], "noise": None}
    seen = {**base, "blind_student": False, **errors}
    rows = [{**seen, "case": case.name, "noise": case.noise, "outcomes": "st"} for case in CASES]
    rows += [{**base, "checkpoint": "b.pt", "case": "nominal", "outcomes": "tt", "blind_student": True}]
    rows += [{**base, "checkpoint": "zero", "case": "truth or nothing", "outcomes": "tt", "blind_student": False}]
    rows = [compared(row, rows) for row in rows]
    assert rows[4]["to_nominal"] == 0.0 and rows[4]["to_blind"] == 0.5
    text = SENSED_MAPS.markdown(rows)
    assert "1.00; +0.000 [" in text and "1.00; +0.500 [" in text
    assert text.count("mapped, drift 1 %") == 7 and "0.500 [0.100, 0.900]" in text
    assert all(f"| any | S8, {name} | {each.point_vertical:.3f} |" in text for name, each in CONDITIONS.items())
    assert SENSED_MAPS.draw(rows) is not None
