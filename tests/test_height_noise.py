"""Height-sample noise of Miki et al. S8: every scope, condition and schedule has the statistics it claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tyro
from einops import repeat
from torch import Tensor
from torch.testing import assert_close

from envs.height_noise import CONDITIONS, LEVELS, HeightNoise, HeightNoiseConfig, MapCondition, noise_factor
from envs.height_noise import __main__ as drawing
from envs.height_noise.__main__ import main
from envs.terrains import Surface, build_map, make_tile

ROBOTS, LOOKS = 400, 4
SILENT = MapCondition(0, 0, 0, 0, 0, 0, 0, 0)
ZEROS = torch.zeros(ROBOTS, 4, 52, 2)
ROWS = torch.arange(ROBOTS)
SOLES = torch.zeros(ROBOTS, 4)


def maps(z: MapCondition | None = None, seed: int = 0, **changes: Any) -> HeightNoise:
    """Maps at the start of an episode, with these z0..z7 and nothing else wrong, or as configured."""
    alone = {"cell_offset": 0.0, "missing_fraction": 0.0} if z is not None else {}
    noise = HeightNoise(HeightNoiseConfig(**{**alone, **changes}), ROBOTS, 0.02, torch.Generator().manual_seed(seed))
    if z is not None:
        noise.table[:] = torch.tensor(z)
    noise.reset(ROWS)
    return noise


def flat(points: Tensor) -> Tensor:
    return torch.zeros(len(points))


def along(axis: int):
    """Ground whose height is its coordinate: what is read there is how far the point has moved."""
    return lambda points: points[:, axis].clone()


def looks(noise: HeightNoise, query: Any = flat, count: int = LOOKS, factor: float = 1.0) -> Tensor:
    """Errors (looks, n, 4, 52) m of samples that should be zero."""
    return torch.stack([noise.sample(ROWS, ZEROS, SOLES, query, factor) for _ in range(count)])


SCOPES = {
    "point_lateral": "point",
    "point_vertical": "point",
    "foot_lateral": "foot",
    "foot_vertical": "foot",
    "episode_lateral": "episode",
    "episode_vertical": "episode",
}


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_every_error_has_its_standard_deviation_scope_and_direction(name: str, axis: int) -> None:
    lateral = name.endswith("lateral")
    noise = maps(SILENT._replace(**{name: 0.2}))
    error = looks(noise, along(axis) if lateral else flat)
    assert error.std().item() == pytest.approx(0.2, rel=0.06)
    assert abs(error.mean().item()) < 0.02
    first = error[:, :, :, :1]
    shared = {"point": False, "foot": True, "episode": True}[SCOPES[name]]
    lasting = SCOPES[name] == "episode"
    assert torch.allclose(error, first.expand_as(error)) == shared
    assert torch.allclose(error, error[:1].expand_as(error)) == lasting
    feet = error.mean(dim=(0, 3))
    correlation = torch.corrcoef(feet.T) - torch.eye(4)
    assert correlation.abs().max() < 0.2
    assert not looks(noise, flat).any() or not lateral


def test_a_point_moves_along_x_and_y_independently() -> None:
    moved = maps(SILENT._replace(point_lateral=0.1, foot_lateral=0.1, episode_lateral=0.1))
    both = torch.stack([looks(moved, along(axis)).flatten() for axis in (0, 1)])
    again = looks(moved, lambda points: points[:, 0] * points[:, 1])
    assert both.std(dim=1).tolist() == pytest.approx([0.1 * 3**0.5] * 2, rel=0.05)
    assert abs(again.mean().item()) < 0.003


def test_the_errors_of_an_episode_are_independent_along_all_axes() -> None:
    noise = maps(SILENT._replace(episode_lateral=0.1, episode_vertical=0.1))
    up = looks(noise, flat, 1)
    ahead, left = (looks(noise, along(axis), 1) - up for axis in (0, 1))
    correlation = torch.corrcoef(torch.stack([error[..., 0].flatten() for error in (ahead, left, up)]))
    assert_close(correlation, torch.eye(3), atol=0.1, rtol=0)


def test_lateral_noise_reads_the_ground_elsewhere_and_invents_no_heights() -> None:
    noise = maps(SILENT._replace(point_lateral=0.05, foot_lateral=0.05, episode_lateral=0.05))
    read = looks(noise, lambda points: (points[:, 0] > 0.02).float())
    assert read.unique().tolist() == [0, 1]
    assert 0.3 < read.mean() < 0.5


def test_outliers_are_as_frequent_and_as_large_as_configured() -> None:
    error = looks(maps(SILENT._replace(outlier=0.3, outlier_probability=0.05)))
    wrong = error[error != 0]
    assert len(wrong) / error.numel() == pytest.approx(0.05, rel=0.03)
    assert wrong.std().item() == pytest.approx(0.3, rel=0.03)
    assert (error[0] != 0).float().mean(dim=(0, 1)).std() < 0.02


def test_an_outlier_comes_on_top_of_the_point_noise() -> None:
    error = looks(maps(SILENT._replace(point_vertical=0.3, outlier=0.4, outlier_probability=1.0)))
    assert error.std().item() == pytest.approx(0.5, rel=0.02)


def test_conditions_are_those_of_the_paper_with_z7_of_ten_centimetres() -> None:
    printed = {
        "nominal": (0.004, 0.005, 0.01, 0.04, 0.03, 0.05, 0.1),
        "offset": (0.004, 0.005, 0.01, 0.1, 0.1, 0.02, 0.1),
        "noisy": (0.004, 0.1, 0.1, 0.3, 0.3, 0.3, 0.1),
        "small": (0.004, 0.005, 0.04, 0.04, 0.04, 0.01, 0.1),
        "large": (0.004, 0.3, 0.2, 0.1, 0.1, 0.03, 0.1),
    }
    assert {name: tuple(z) for name, z in CONDITIONS.items()} == {name: (*z, 0.1) for name, z in printed.items()}


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_has_the_total_error_that_its_numbers_add_up_to(name: str) -> None:
    noise = HeightNoise(LEVELS[name], ROBOTS, 0.02, torch.Generator().manual_seed(1))
    noise.reset(ROWS)
    z = CONDITIONS[name]  # type: ignore
    vertical = z.point_vertical**2 + z.foot_vertical**2 + z.outlier_probability * z.outlier**2 + z.episode_vertical**2
    lateral = z.point_lateral**2 + z.foot_lateral**2 + z.episode_lateral**2
    assert looks(noise).std().item() == pytest.approx(vertical**0.5, rel=0.06)
    assert looks(noise, along(0)).var().item() == pytest.approx(vertical + lateral, rel=0.12)


def test_conditions_come_with_their_probabilities() -> None:
    noise = maps(seed=3)
    drawn = torch.cat([noise.condition.clone() for _ in range(25) if noise.reset(ROWS) is None])
    assert (drawn.bincount() / len(drawn)).tolist() == pytest.approx([0.4, 0.3, 0.3], abs=0.01)
    assert maps(condition_probabilities=(0.0, 1.0, 0.0)).condition.unique().tolist() == [1]


def test_a_condition_holds_until_the_middle_of_the_trajectory_and_is_drawn_anew_there() -> None:
    noise = maps(redraw_seconds=0.2)
    before = noise.condition.clone()
    offset = noise.foot_offset.clone()
    for _ in range(9):
        noise.renewed()
        assert torch.equal(noise.condition, before)
    noise.renewed()
    changed = (noise.condition != before).float().mean().item()
    assert changed == pytest.approx(1 - (0.4**2 + 0.3**2 + 0.3**2), abs=0.08)
    assert torch.equal(noise.foot_offset, offset)


def test_the_schedule_counts_samples_from_epoch_20_to_100() -> None:
    cfg = HeightNoiseConfig()
    epoch = 300 * 400
    assert [noise_factor(epoch * e, cfg) for e in (0, 20, 60, 100, 500)] == pytest.approx([0, 0, 0.5, 1, 1])
    assert noise_factor(0, HeightNoiseConfig(factor=0.7)) == 0.7


def test_without_c_sk_the_map_is_perfect() -> None:
    noise = maps(missing_fraction=1.0)
    assert not looks(noise, factor=0.0).any()
    points = torch.randn(ROBOTS, 4, 52, 2)
    seen = noise.sample(ROWS, points, SOLES, along(1), 0.0)
    assert torch.equal(seen, points[..., 1])


def test_c_sk_scales_every_error() -> None:
    z = MapCondition(0.1, 0.1, 0.1, 0.1, 0.0, 0.0, 0.1, 0.1)
    full, half = (looks(maps(z), along(0), factor=factor) for factor in (1.0, 0.5))
    assert_close(half, 0.5 * full)
    full, half = (looks(maps(SILENT, cell_offset=0.1), factor=factor) for factor in (1.0, 0.5))
    assert full.any()
    assert_close(half, 0.5 * full)
    outliers = [
        looks(maps(SILENT._replace(outlier=1, outlier_probability=0.4)), factor=factor) for factor in (1.0, 0.5)
    ]
    shares = [(one != 0).float().mean().item() for one in outliers]
    assert shares == pytest.approx([0.4, 0.2], rel=0.02)
    missing = [looks(maps(SILENT, missing_fraction=0.4), factor=factor) for factor in (1.0, 0.5)]
    assert [(one != 0).float().mean().item() for one in missing] == pytest.approx([0.4, 0.2], rel=0.15)


def cell_map(**changes: Any) -> tuple[HeightNoise, Tensor, Tensor]:
    """Heights (n, 4, 52) over a line of points along x, 0.1 m apart, on flat ground."""
    noise = maps(SILENT, **changes)
    line = torch.stack([torch.arange(208) * 0.1 - 10, torch.full((208,), 0.3)], dim=-1)
    points = repeat(line.reshape(4, 52, 2), "foot point xy -> n foot point xy", n=ROBOTS)
    return noise, points, noise.sample(ROWS, points, SOLES, flat, 1.0)


def test_a_cell_of_the_map_has_one_offset_that_lasts_an_episode() -> None:
    noise, points, heights = cell_map(cell_offset=0.05, cell_size=2.0)
    assert heights.std().item() == pytest.approx(0.05, rel=0.06)
    profile = heights.reshape(ROBOTS, 208)
    assert len(profile[:, 0].unique()) == ROBOTS
    jumps = (profile.diff(dim=1) != 0).float()
    assert jumps.mean().item() == pytest.approx(0.1 / 2.0, rel=0.05)
    assert jumps.reshape(-1)[: 207 * ROBOTS].reshape(ROBOTS, 207).mean(0).std() < 0.03
    later = noise.sample(ROWS, points + torch.tensor([0.0, 0.01]), SOLES, flat, 1.0)
    assert (later != heights).float().mean() < 0.02
    noise.reset(ROWS)
    assert (noise.sample(ROWS, points, SOLES, flat, 1.0) == heights).float().mean() < 0.02


def test_a_missing_patch_shows_random_values_about_the_foot_each_time_others() -> None:
    noise, points, heights = cell_map(missing_fraction=0.1, missing_size=0.5, missing_height=0.3)
    missing = heights != 0
    assert missing.float().mean().item() == pytest.approx(0.1, rel=0.1)
    edges = (missing.reshape(ROBOTS, 208).float().diff(dim=1) != 0).float().mean().item()
    assert edges == pytest.approx(2 * 0.1 * 0.9 * 0.1 / 0.5, rel=0.15)
    again = noise.sample(ROWS, points, SOLES + 5.0, flat, 1.0)
    assert torch.equal(again != 0, missing)
    assert again[missing].mean().item() == pytest.approx(5.0, abs=0.02)
    assert again[missing].std().item() == pytest.approx(0.3, rel=0.05)
    assert abs(torch.corrcoef(torch.stack([again[missing], heights[missing]]))[0, 1].item()) < 0.05


def test_covered_sensors_know_nothing_of_the_ground() -> None:
    noise = HeightNoise(LEVELS["covered"], ROBOTS, 0.02, torch.Generator())
    noise.reset(ROWS)
    error = looks(noise, lambda points: torch.full((len(points),), torch.nan))
    assert error.std().item() == pytest.approx(0.3, rel=0.02)


def test_maps_are_renewed_at_20_hz_each_in_its_own_time() -> None:
    noise = maps()
    due = torch.zeros(50, ROBOTS, dtype=torch.bool)
    for step in range(50):
        due[step, noise.renewed()] = True
    counts = due.sum(0)
    assert counts.min() >= 19 and counts.max() <= 21 and counts.float().mean().item() == pytest.approx(20, abs=0.2)
    gaps = torch.cat([torch.nonzero(column).squeeze(-1).diff() for column in due.T])
    assert gaps.unique().tolist() == [2, 3]
    assert due.float().mean(1).tolist() == pytest.approx([0.4] * 50, abs=0.12)
    always = maps(map_rate=60.0)
    assert all(len(always.renewed()) == ROBOTS for _ in range(5))


def test_other_robots_keep_their_maps_when_some_start_anew() -> None:
    noise = maps()
    before = noise.state_dict()
    some = torch.tensor([3, 70])
    noise.reset(some)
    others = torch.ones(ROBOTS, dtype=torch.bool)
    others[some] = False
    for name, value in noise.state_dict().items():
        assert torch.equal(value[others], before[name][others])
    assert not torch.equal(noise.foot_offset[some], before["foot_offset"][some])


def test_resume_of_maps_is_bit_exact() -> None:
    noise, other = (maps(seed=seed, redraw_seconds=0.2) for seed in (1, 2))
    for _ in range(5):
        noise.renewed()
    other.load_state_dict(noise.state_dict())
    other.generator.set_state(noise.generator.get_state())
    for _ in range(8):
        assert torch.equal(noise.renewed(), other.renewed())
        assert torch.equal(looks(noise, along(0), 1), looks(other, along(0), 1))


def test_the_number_of_threads_changes_no_bit() -> None:
    before = torch.get_num_threads()
    try:
        seen = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            seen.append(looks(maps(), along(0), 1))
        assert torch.equal(*seen)
    finally:
        torch.set_num_threads(before)


def test_impossible_maps_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 1"):
        HeightNoiseConfig(condition_probabilities=(0.6, 0.3, 0.3))
    with pytest.raises(ValueError, match="positive"):
        HeightNoiseConfig(map_rate=0.0)
    with pytest.raises(ValueError, match="full_steps"):
        HeightNoiseConfig(start_steps=10, full_steps=10)


def test_the_picture_of_all_levels_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tyro.cli(main, args=["--out", str(tmp_path / "noise.png")])
    assert (tmp_path / "noise.png").stat().st_size > 20_000
    assert main(tmp_path / "nowhere" / "noise.png") == 2
    assert np.char.startswith(capsys.readouterr().err, "Cannot write")


def test_the_panel_of_dropout_has_looks_before_during_and_after_it() -> None:
    surface = Surface(build_map([make_tile("stairs_up", height=0.17, depth=0.3)]))
    start = torch.from_numpy(surface.map.tile_corner_w[0]) + torch.tensor([2.0, 1.5])
    seen, _ = drawing.looks(surface, start.float(), "dropout", seed=0)
    assert "dropout" in drawing.PANELS
    assert [bool(look.isnan().all()) for look in seen] == [False, True, False] and not seen[[0, 2]].isnan().any()
