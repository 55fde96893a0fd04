from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from policy_files import write_student

from agents.policies import StudentPolicy
from anymal_policy import layout
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import StudentConfig
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.sensors import NoisySensors
from envs.terrains import make_tile
from evaluation.agents import load_agent
from evaluation.belief import (
    COLOURS,
    MAP_COLOUR,
    RECONSTRUCTED,
    SEEN,
    TRUE,
    BeliefView,
    map_points,
    read_belief,
    require_student,
    sample_points,
)
from evaluation.legend import BACKGROUND, INK, Strip, inset, paint_legend
from evaluation.noise import SENSED, with_map, with_noise

DEFICIENCIES = {
    "none": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear RGB as it is seen without one kind of cones (Machado et al. 2009, severity 1)."""
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
"""Linear sRGB to CIE XYZ."""
HEIGHTS = layout.group_places()["extero"]


@pytest.fixture(scope="module")
def env() -> AnymalEnv:
    """One robot between steps that perceives them with large noise."""
    cfg = with_noise(EnvConfig(num_envs=1, threads=1, noisy_groups=True), "large")
    return AnymalEnv(cfg, [make_tile("step_stair", 1.0)])


def acted(env: AnymalEnv, folder: Path, cfg: StudentConfig | None = None) -> StudentPolicy:
    """An untrained Student that has acted on the environment's observations; its statistics are all different."""
    write_student(folder / "student.pt", EnvConfig(), cfg)
    policy = require_student(load_agent(folder / "student.pt"))
    generator = torch.Generator().manual_seed(0)
    policy.normalizer.mean.copy_(torch.randn(391, generator=generator))
    policy.normalizer.var.copy_(0.5 + torch.rand(391, generator=generator))
    policy.act(env.get_observations())
    return policy


def lab(colour: Any, deficiency: Any) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour for somebody with this deficiency."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(deficiency) @ linear, 0.0, 1.0) / TO_XYZ.sum(1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_are_far_apart_for_the_colour_blind_too(deficiency: str) -> None:
    seen = [lab(colour, DEFICIENCIES[deficiency]) for colour in (*COLOURS.values(), MAP_COLOUR)]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 50


def test_the_inverse_undoes_the_normaliser() -> None:
    normalizer, generator = Normalizer(391), torch.Generator().manual_seed(0)
    normalizer.mean.normal_(generator=generator)
    normalizer.var.uniform_(0.5, 2.0, generator=generator)
    heights = torch.randn(208, generator=generator)
    assert normalizer.inverse(normalizer(heights, HEIGHTS), HEIGHTS).numpy() == pytest.approx(heights.numpy(), abs=1e-5)


def test_true_samples_lie_on_the_ground(env: AnymalEnv) -> None:
    points_w = sample_points(env.state, env.get_observations()["extero"][0])
    assert points_w.shape == (208, 3)
    assert np.ptp(points_w[:, 2]) > 0.1
    on_ground = np.isclose(points_w[:, 2], env.surface.height(points_w[:, :2]), atol=1e-4)
    assert on_ground.mean() > 0.98  # float32 moves points across risers


def test_the_map_of_a_robot_is_drawn_where_it_says_the_ground_is_however_its_odometry_has_drifted() -> None:
    """The points against what the map answers to somebody who asks at their places in the world."""
    cfg = with_map(with_noise(EnvConfig(num_envs=1, threads=1, noisy_groups=True), "mapped"), SENSED)
    env = AnymalEnv(cfg, [make_tile("step_up", 0.5)])
    assert isinstance(env.sensors, NoisySensors) and (sensed := env.sensors.sensed) is not None
    odometry, row = sensed.odometry, torch.zeros(1, dtype=torch.long)
    odometry.error[0], odometry.turned[0] = torch.tensor([0.3, -0.2, 0.15]), 0.4
    elevation = sensed.maps[0]
    elevation.reset()
    elevation.heights[:] = torch.rand(elevation.heights.shape, generator=torch.Generator().manual_seed(0)).numpy()
    points = map_points(env)
    assert points is not None and len(points) == elevation.heights.size
    said = sensed.query(row)(torch.from_numpy(points[:, :2])).numpy()
    assert said == pytest.approx(points[:, 2], abs=1e-5)
    elevation.heights[:] = np.nan
    elevation.heights[3, 5] = 0.1
    points = map_points(env)
    assert points is not None and len(points) == 1
    assert map_points(AnymalEnv(EnvConfig(num_envs=1, threads=1), [make_tile("flat")])) is None


def test_samples_turn_with_the_robot_and_start_from_the_sole() -> None:
    quarter = torch.tensor([torch.pi / 2])
    feet = torch.tensor([[[1.0, 2.0, 0.5], [3.0, 4.0, 0.6], [5.0, 6.0, 0.7], [7.0, 8.0, 0.8]]])
    state: Any = SimpleNamespace(foot_position_w=feet, heading=quarter)
    heights = torch.zeros(208)
    heights[52] = 0.1
    points_w = sample_points(state, heights)
    assert points_w[0] == pytest.approx([1.0, 2.08, 0.47], abs=1e-6)
    assert points_w[52] == pytest.approx([3.0, 4.08, 0.67], abs=1e-6)
    assert points_w[-52 + 6] == pytest.approx([7.0, 8.16, 0.77], abs=1e-6)


def test_belief_holds_truth_what_is_seen_and_the_last_reconstruction(env: AnymalEnv, tmp_path: Path) -> None:
    policy, obs = acted(env, tmp_path), env.get_observations()
    truth = policy.normalizer(obs["extero"], HEIGHTS)
    policy.output = policy.output._replace(heights=truth, gate=torch.linspace(0.0, 0.5, 96).unsqueeze(0))
    belief = read_belief(env, policy)
    assert torch.equal(belief.heights[TRUE], env.state.height_samples[0].flatten())
    assert torch.equal(belief.heights[SEEN], obs["extero_noisy"][0])
    assert belief.heights[RECONSTRUCTED].numpy() == pytest.approx(belief.heights[TRUE].numpy(), abs=1e-5)
    assert not torch.allclose(belief.heights[SEEN], belief.heights[TRUE], atol=0.05)
    assert belief.openness == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("lacking", "kinds", "gate"),
    [
        ({}, [TRUE, SEEN, RECONSTRUCTED], True),
        ({"reconstruct": False}, [TRUE, SEEN], True),
        ({"gate": False}, [TRUE, SEEN, RECONSTRUCTED], False),
        ({"extero": False}, [TRUE, RECONSTRUCTED], True),
    ],
)
def test_only_what_a_student_has_is_shown(
    env: AnymalEnv, tmp_path: Path, lacking: dict[str, bool], kinds: list[str], gate: bool
) -> None:
    policy = acted(env, tmp_path, replace(StudentConfig(), **lacking))
    belief = read_belief(env, policy)
    assert list(belief.heights) == kinds
    assert (belief.openness is not None) == gate
    view = BeliefView(env, policy, "large")
    view.note()
    dots, legend = view.look(320)
    assert [group.colour for group in dots] == [COLOURS[kind] for kind in kinds]
    for kind, colour in COLOURS.items():
        assert (legend == colour).all(-1).any() == (kind in kinds)


def test_strip_is_as_full_as_the_gate_is_open_newest_at_the_right() -> None:
    def ink(*values: float) -> np.ndarray:
        panel = paint_legend([], Strip("", values, 10), 640)
        return (panel == INK).all(-1)[:, 40:].sum(0)

    full, half = ink(*[1.0] * 10), ink(*[0.5] * 10)
    inside = full > 0
    assert half[inside].mean() / full[inside].mean() == pytest.approx(0.5, abs=0.05)
    young = np.flatnonzero(ink(1.0))
    assert young.min() > np.flatnonzero(inside).mean()


def test_legend_grows_with_the_picture_and_covers_its_upper_left_corner_only() -> None:
    small, large = (paint_legend([((1, 2, 3), "a")], None, height) for height in (320, 640))
    assert np.array(large.shape[:2]) == pytest.approx(2 * np.array(small.shape[:2]), abs=2)
    picture = np.full((400, 50, 3), 9, np.uint8)
    covered = inset(picture, small)
    assert covered.shape == picture.shape and (picture == 9).all()
    assert tuple(covered[0, 0]) == BACKGROUND
    assert (covered[len(small) :] == 9).all()
