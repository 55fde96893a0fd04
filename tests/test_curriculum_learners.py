"""Learners of known ability under the curriculum: where do the particles go?"""

from __future__ import annotations

import io

import pytest
import torch
from particles import attempt, logistic, make, place, seeded, settled, train, train_late

from envs.curriculum import CurriculumConfig, progress_label


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


OLD = CurriculumConfig(kinship=0.0)
"""Cells that know nothing of one another."""


@pytest.mark.parametrize(("ability", "before"), [(0.95, 0.6), (0.99, 0.62)])
def test_particles_stay_on_the_hardest_ground_of_a_learner_that_masters_all(ability: float, before: float) -> None:
    """Mean difficulty after 20 million steps from the hardest cell on: few trajectories speak for each cell."""

    def difficulty(cfg: CurriculumConfig) -> float:
        filter_ = make([(8,)] * 21, cfg)
        place(filter_, torch.tensor(7))
        train_late(filter_, lambda cells: torch.full((len(cells),), ability), 20_000_000, seeded())
        return filter_.cells.double().mean().item() / 7

    assert difficulty(OLD) == pytest.approx(before, abs=0.08)
    assert difficulty(CurriculumConfig()) > 0.85


def test_particles_climb_where_all_ground_is_crossed_often_enough() -> None:
    """From easy cells, 95 % everywhere."""
    filter_, before = make([(8,)] * 21), make([(8,)] * 21, OLD)
    for each in (filter_, before):
        train_late(each, lambda cells: torch.full((len(cells),), 0.95), 20_000_000, seeded())
    assert filter_.cells.double().mean() > 6.3 > 5.5 > before.cells.double().mean()


def test_robots_stand_on_ground_worth_training_on_although_outcomes_come_late() -> None:
    """Shares of the robots on ground crossed in 40 to 95 % of the attempts, and on easier ground (decisions 19, 61)."""

    def learner(cells: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid((0.8 - 0.9 * cells[:, 0] / 7 - 0.35 * cells[:, 1] / 3) / 0.08)

    def shares(cfg: CurriculumConfig) -> tuple[float, float]:
        return settled(train_late(make([(8, 4)] * 17, cfg), learner, 20_000_000, seeded()))

    assert shares(CurriculumConfig()) == pytest.approx((0.73, 0.11), abs=0.05)
    assert shares(OLD) == pytest.approx((0.64, 0.25), abs=0.05)
    lee = CurriculumConfig(transition_probability=0.8, memory=0.5, kinship=0.0)
    assert shares(lee) == pytest.approx((0.33, 0.58), abs=0.05)


def test_the_curriculum_keeps_up_with_a_learner_that_improves() -> None:
    class Improving:
        calls = 0

        def __call__(self, cells: torch.Tensor) -> torch.Tensor:
            self.calls += 1  # twice every 20 steps
            skill = 0.2 + 0.9 * self.calls * 10 * 1024 / 60_000_000
            return torch.sigmoid((skill - 0.9 * cells[:, 0] / 7 - 0.35 * cells[:, 1] / 3) / 0.08)

    def worth(cfg: CurriculumConfig) -> float:
        return settled(train_late(make([(8, 4)] * 21, cfg), Improving(), 60_000_000, seeded()))[0]

    assert worth(CurriculumConfig()) > 0.7 > worth(OLD)


def test_ground_on_which_a_robot_creeps_whatever_it_is_told_is_not_crossed() -> None:
    """Mean difficulty and share of the commanded speed, of a robot told 0.5 to 1 m/s that makes 1 m/s at most on easy
    ground, 0.6 on level 5, and 0.25 on the hardest (decision 62)."""

    def reached(cfg: CurriculumConfig) -> tuple[float, float]:
        filter_, generator, held = make([(12,)] * 8, cfg), seeded(), []
        types = torch.arange(8).repeat_interleave(60)
        for _ in range(80):
            cells, numbers = filter_.draw(types, generator)
            told = 0.5 + 0.5 * torch.rand(len(types), generator=generator)
            made = told.minimum(0.25 + 0.75 * torch.sigmoid(5.0 - cells[:, 0]))
            made += 0.02 * torch.randn(len(types), generator=generator)
            label, usable = progress_label(made, told, torch.zeros(len(types), dtype=torch.bool), cfg)
            filter_.record(types[usable], numbers[usable], label[usable])
            filter_.update(generator)
            held.append([cells.double().mean() / 11, (made / told).mean()])
        difficulty, share = torch.tensor(held[40:]).mean(0).tolist()
        return difficulty, share

    assert reached(CurriculumConfig(progress_fraction=0.0)) == pytest.approx((0.82, 0.47), abs=0.04)
    assert reached(CurriculumConfig()) == pytest.approx((0.52, 0.64), abs=0.04)


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
