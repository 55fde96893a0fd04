"""Learners of known ability under the curriculum: where do the particles go?"""

from __future__ import annotations

import io

import pytest
import torch
from particles import attempt, logistic, make, place, seeded, train

from envs.curriculum import CurriculumConfig


def test_well_measured_particles_stay_on_the_levels_of_the_band() -> None:
    """Traversability is 0.81 on level 8, 0.5 on level 9, and outside the band elsewhere."""
    generator = seeded()
    filter_ = make([(15,)] * 8, CurriculumConfig(particles=200))
    levels = torch.stack(train(filter_, logistic(9.0), 60, generator, trajectories=4000)[30:]).flatten()
    share = torch.bincount(levels, minlength=15) / len(levels)
    assert share[8:10].sum() > 0.9
    assert share[8] > 0.3
    assert share[9] > 0.3


def test_particles_come_down_from_impossible_ground() -> None:
    """No cell was ever crossed: the walk must not drift to where nothing has been tried yet."""
    filter_ = make([(15,)] * 8)
    place(filter_, torch.tensor([12]))
    held = train(filter_, logistic(-100.0), 60, seeded())
    assert torch.stack(held[30:]).double().mean() < 3


def test_six_trajectories_per_particle_gather_particles_about_the_band() -> None:
    """Levels 7 to 10 are the band and one step of the walk around it: 4 of 15 without selection."""
    held = train(make([(15,)] * 8), logistic(9.0), 60, seeded())
    levels = torch.stack(held[30:]).flatten()
    assert ((levels >= 7) & (levels <= 10)).double().mean() > 2 * 4 / 15
    assert (levels > 10).double().mean() < 0.05


def test_solved_terrain_drifts_harder() -> None:
    generator = seeded()
    filter_ = make([(12,)] * 8)
    start = filter_.cells.double().mean()
    held = train(filter_, lambda cells: torch.where(cells[:, 0] < 6, 0.99, 0.7), 25, generator)
    assert torch.stack(held[10:]).double().mean() > start + 3


def test_impossible_terrain_drifts_back_easier() -> None:
    generator = seeded()
    filter_ = make([(12,)] * 8)
    place(filter_, torch.tensor(10))
    assert train(filter_, logistic(3.0), 40, generator)[-1].double().mean() < 4


def test_each_type_finds_its_own_level() -> None:
    """The same learner on sixteen types; every second one is six levels harder for it."""
    generator = seeded()
    centres = torch.tensor([5.0, 11.0]).repeat(8)
    filter_ = make([(16,)] * 16)
    type_ids = torch.arange(16).repeat_interleave(300)
    held = []
    for _ in range(120):
        cells, numbers = filter_.draw(type_ids, generator)
        chance = torch.sigmoid((centres[type_ids] - cells[:, 0]) / 0.7)
        filter_.record(type_ids, numbers, torch.rand(len(type_ids), generator=generator) < chance)
        filter_.update(generator)
        held.append(filter_.cells.double().mean(dim=(1, 2)))
    mean = torch.stack(held[80:]).mean(dim=0)
    for first, best in ((0, 4), (1, 10)):
        assert mean[first::2].mean().item() == pytest.approx(best + 0.5, abs=1.0)  # the band's two levels


def test_a_restored_filter_goes_on_bit_for_bit() -> None:
    first, generator = make([(8, 3), (10,), (1,)]), seeded(1)
    train(first, logistic(4.0), 5, generator)
    attempt(first, logistic(4.0), generator)
    file = io.BytesIO()
    torch.save({"filter": first.state_dict(), "generator": generator.get_state()}, file)
    train(first, logistic(4.0), 5, generator)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second, generator = make([(8, 3), (10,), (1,)], seed=99), seeded(99)
    second.load_state_dict(saved["filter"])
    generator.set_state(saved["generator"])
    train(second, logistic(4.0), 5, generator)
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
