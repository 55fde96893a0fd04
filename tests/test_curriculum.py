from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from particles import CFG, logistic, make, place, seeded, train
from scipy.special import betainc

from envs.curriculum import CurriculumConfig, ParticleFilter
from envs.ranks import ALONE, Ranks

STILL = CurriculumConfig(replay_probability=0.0, transition_probability=0.0)


def test_particles_never_leave_the_levels() -> None:
    shapes = [(1,), (8, 3), (2,), (5, 1)]
    filter_ = make(shapes)
    held = torch.stack(train(filter_, lambda cells: torch.full((len(cells),), 0.7), 200, seeded()))
    limits = torch.tensor([[1, 1], [8, 3], [2, 1], [5, 1]]) - 1
    assert (held >= 0).all()
    assert torch.equal(held.amax(dim=(0, 2)), limits)  # and every level is reached


def test_particles_start_on_the_easier_levels_of_every_axis() -> None:
    cells = torch.cat([make([(10, 3)], seed=seed).cells for seed in range(50)])
    assert cells[..., 0].unique().tolist() == [0, 1, 2, 3]
    assert cells[..., 1].unique().tolist() == [0]


def test_draw_gives_every_particle_of_the_asked_type_equally_often() -> None:
    filter_ = make([(30,), (100,)])
    place(filter_, torch.stack([torch.arange(10), 50 + torch.arange(10)]).unsqueeze(-1))
    cells, _ = filter_.draw(torch.ones(20_000, dtype=torch.long), seeded())
    assert torch.bincount(cells[:, 0] - 50, minlength=10).tolist() == pytest.approx([2000] * 10, abs=200)


@pytest.mark.parametrize(("successes", "failures"), [(0, 0), (3, 1), (6, 0), (0, 6), (40, 10)])
def test_desirability_is_the_posterior_probability_of_the_band(successes: int, failures: int) -> None:
    """Oracle: the Beta density integrated by hand on a fine grid."""
    filter_ = make([(1,)])
    ids = torch.zeros(successes + failures, dtype=torch.long)
    filter_.record(ids, ids, torch.arange(successes + failures) < successes)
    chance = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    density = chance**successes * (1 - chance) ** failures
    inside = (chance >= 0.5) & (chance <= 0.9)
    expected = (torch.trapezoid(density[inside], chance[inside]) / torch.trapezoid(density, chance)).item()
    assert filter_.desirability()[0].tolist() == pytest.approx([expected] * 10, abs=1e-4)


def test_resampling_keeps_copies_in_proportion_to_desirability() -> None:
    """Systematic: each particle has the floor or the ceiling of its expected copies, and on average exactly those."""
    filter_ = make([(10,)] * 400, STILL)
    place(filter_, torch.arange(10).unsqueeze(-1))
    outcomes = torch.tensor([[level, label] for level in range(10) for label in [1] * level + [0] * 5])
    for type_id in range(400):
        filter_.record(torch.full((len(outcomes),), type_id), outcomes[:, 0], outcomes[:, 1])
    desirability = filter_.desirability()[0]
    expected = 10 * desirability / desirability.sum()
    filter_.update(seeded())
    copies = (filter_.cells == torch.arange(10)).sum(dim=1)  # (types, levels)
    assert ((copies - expected).abs() < 1).all()
    assert copies.double().mean(dim=0).tolist() == pytest.approx(expected.tolist(), abs=0.1)


def test_transition_moves_each_parameter_one_level_in_two_of_five_updates() -> None:
    cfg = CurriculumConfig(replay_probability=0.0, particles=5000)
    filter_ = make([(51, 51)], cfg)
    place(filter_, torch.tensor([25, 25]))
    filter_.update(seeded())
    steps = filter_.cells[0] - 25
    for axis in (0, 1):
        shares = torch.bincount(steps[:, axis] + 1, minlength=3) / 5000
        assert shares.tolist() == pytest.approx([0.28, 0.6, 0.12], abs=0.03)  # unknown ground is above 0.7 in 3 of 10
    together = (steps[:, 0] * steps[:, 1]).double().mean()
    assert together == pytest.approx(0.16**2, abs=0.02)  # the axes move independently


@pytest.mark.parametrize(("label", "step"), [(1.0, 1), (0.0, -1)])
def test_particles_leave_mastered_ground_upwards_and_impossible_ground_downwards(label: float, step: int) -> None:
    filter_ = make([(9,)], CurriculumConfig(replay_probability=0.0, transition_probability=1.0))
    place(filter_, torch.tensor([4]))
    filter_.record(torch.zeros(60, dtype=torch.long), torch.full((60,), 4), torch.full((60,), label))
    filter_.update(seeded())
    assert (filter_.cells == 4 + step).all()


def test_replay_brings_back_a_cell_held_long_ago() -> None:
    cfg = CurriculumConfig(replay_probability=0.05, transition_probability=0.0, particles=5000)
    filter_ = make([(100,)], cfg)
    early = filter_.cells.unique().tolist()  # levels 0..39
    place(filter_, torch.tensor(99))
    filter_.update(seeded())
    levels = filter_.cells.flatten()
    assert (levels != 99).double().mean() == pytest.approx(0.05, abs=0.015)
    assert set(levels.tolist()) - {99} <= set(early)


def test_the_replay_memory_holds_every_cell_the_particles_have_been_on() -> None:
    filter_, generator = make([(30,)]), seeded()
    held = {*filter_.cells.flatten().tolist()}
    for _ in range(20):
        filter_.update(generator)
        held |= {*filter_.cells.flatten().tolist()}
    assert filter_.state_dict()["visited"][0].nonzero().flatten().tolist() == sorted(held)


def test_a_trajectory_that_ends_after_an_update_counts_for_the_cell_it_was_on() -> None:
    filter_ = make([(5, 3)], STILL)
    place(filter_, torch.tensor([4, 2]))
    ids = torch.zeros(1, dtype=torch.long)
    _, number = filter_.draw(ids, seeded())
    place(filter_, torch.tensor([1, 1]))
    untouched = filter_.desirability()
    filter_.record(ids, number, torch.zeros(1))
    assert torch.equal(filter_.desirability(), untouched)
    place(filter_, torch.tensor([4, 2]))
    assert (filter_.desirability() < untouched).all()


def test_an_update_keeps_the_remembered_share_of_the_counts() -> None:
    filter_ = make([(1,)], CurriculumConfig(memory=0.5))
    ids = torch.zeros(8, dtype=torch.long)
    filter_.record(ids, ids, torch.tensor([1, 1, 1, 1, 1, 1, 0, 0]))
    filter_.update(seeded())
    assert (filter_.state_dict()["successes"].item(), filter_.state_dict()["failures"].item()) == (3.0, 1.0)


def test_two_ranks_hand_on_what_both_have_counted() -> None:
    """Each of two equal ranks has half of the outcomes; all particles stay on cell 0."""
    pair, easiest = Ranks(0, 2, lambda own: own + own), replace(STILL, initial_fraction=0.0)
    alone, both, next_both = (make([(5,)], easiest, ranks=ranks) for ranks in (ALONE, pair, pair))
    cell = torch.zeros(4, dtype=torch.long)
    for filter_, times in ((alone, 2), (both, 1)):
        for _ in range(times):
            filter_.record(cell, cell, torch.tensor([True, True, True, False]))
        filter_.update(seeded())
    next_both.import_state(both.export_state())
    for filter_ in (both, next_both):
        assert all(torch.equal(value, alone.export_state()[name]) for name, value in filter_.export_state().items())
    assert torch.equal(next_both.state_dict()["successes"], both.state_dict()["successes"])


def test_metrics_are_mean_difficulty_over_free_axes_and_share_crossed() -> None:
    filter_ = make([(9, 1), (1,), (9, 3)])
    place(filter_, torch.tensor([[[2, 0]], [[0, 0]], [[4, 2]]]))
    ids = torch.tensor([0, 0, 0, 0, 2])
    numbers = filter_.draw(ids, seeded())[1]
    filter_.record(ids, numbers, torch.tensor([1, 1, 1, 0, 0]))
    assert filter_.metrics() == {
        "terrain/type_0": 0.25,
        "terrain/type_1": 0.0,
        "terrain/type_2": 0.75,
        "traversability/type_0": 0.75,
        "traversability/type_1": 0.0,
        "traversability/type_2": 0.0,
    }


def test_a_saved_state_does_not_change_with_the_filter() -> None:
    filter_ = make([(10,)])
    saved = filter_.state_dict()
    copy = {name: value.clone() for name, value in saved.items()}
    train(filter_, logistic(3.0), 3, seeded())
    filter_.load_state_dict(saved)
    train(filter_, logistic(3.0), 3, seeded())
    assert all(torch.equal(saved[name], copy[name]) for name in saved)


def test_successes_on_harder_ground_count_half_on_easier_ground_and_nowhere_else() -> None:
    """Cell (1, 1) was crossed: (0, 0), (0, 1) and (1, 0) are easier, (2, 0) and (0, 2) neither; failures stay alone."""
    filter_ = make([(3, 3), (2,)], STILL)
    cell = torch.full((8,), 1 + 3 * 1)
    filter_.record(torch.zeros(8, dtype=torch.long), cell, torch.arange(8) < 6)
    expected = {(1, 1): (6, 2), (0, 0): (3, 0), (0, 1): (3, 0), (1, 0): (3, 0), (2, 0): (0, 0), (2, 2): (0, 0)}
    for place_, (successes, failures) in expected.items():
        place(filter_, torch.tensor([[[*place_]], [[0, 0]]]))
        alpha, beta = 1 + successes, 1 + failures
        inside = betainc(alpha, beta, CFG.band_high) - betainc(alpha, beta, CFG.band_low)
        desirability = filter_.desirability()
        assert desirability[0].tolist() == pytest.approx([inside] * 10)
        assert desirability[1].tolist() == pytest.approx([0.4] * 10)  # another type, of which nothing is known


def test_a_type_is_taken_over_by_name_and_others_start_on_their_easiest_cell() -> None:
    old = ParticleFilter(["a", "b", "c"], [(8, 3), (4,), (5,)], CFG, seeded(1))
    train(old, logistic(4.0), 20, seeded(1))
    new = ParticleFilter(["c", "new", "a", "b"], [(5,), (3, 2, 2), (8, 3), (6,)], CFG, seeded(2))
    new.import_state(old.export_state())
    for row, theirs in ((0, 2), (2, 0)):
        assert torch.equal(new.cells[row, :, :2], old.cells[theirs])
        for name in ("successes", "failures", "visited"):
            saved = old.state_dict()[name][theirs]
            assert torch.equal(new.state_dict()[name][row, : len(saved)], saved)
    for row in (1, 3):  # unknown, and known with other levels
        assert not new.cells[row].any()
        assert new.state_dict()["visited"][row].nonzero().tolist() == [[0]]
        assert not new.state_dict()["successes"][row].any() and not new.state_dict()["failures"][row].any()
    train(new, logistic(4.0), 3, seeded())
    with pytest.raises(ValueError, match="other terrain types"):
        make([(8, 3)]).import_state(old.export_state())


def test_files_without_names_hold_the_first_types() -> None:
    old, new = make([(8, 3), (4,)], seed=1), make([(8, 3), (4,), (2, 2, 2)], seed=2)
    train(old, logistic(4.0), 20, seeded(1))
    learnt = old.export_state()
    del learnt["names"]
    new.import_state(learnt)
    assert torch.equal(new.cells[:2, :, :2], old.cells) and not new.cells[2].any()


@pytest.mark.parametrize("shapes", [[(3, 8)], [(8, 3), (4,)], [(24,)]])
def test_a_state_of_other_terrain_is_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="resume with"):
        make([(8, 3)]).load_state_dict(make(shapes).state_dict())


@pytest.mark.parametrize("shapes", [[], [(3, 0)]])
def test_types_without_levels_are_refused(shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="at least one level"):
        make(shapes)
