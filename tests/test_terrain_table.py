from __future__ import annotations

import pytest

from envs.terrains import FAMILIES, make_tile, parameters


@pytest.mark.parametrize(
    ("family", "name", "low", "high"),
    [
        ("large_step", "height", 0.0, 0.4),
        ("grid_steps", "height", 0.05, 0.4),
        ("boxes", "height", 0.0, 0.25),
        ("stairs_standard", "height", 0.01, 0.22),
        ("stairs_random", "height", 0.01, 0.22),
        ("stairs_open", "height", 0.01, 0.22),
        ("stairs_ledged_up", "height", 0.01, 0.22),
    ],
)
def test_difficulty_spans_the_papers_range(family, name, low, high):
    values = [parameters(family, difficulty)[name] for difficulty in (0.0, 0.5, 1.0)]
    assert values == pytest.approx([low, (low + high) / 2, high])


def test_widths_and_depths_have_the_papers_range():
    ranges = {(f, p.name): {p.low, p.high} for f in ("grid_steps", "stairs_standard") for p in FAMILIES[f].parameters}
    assert ranges["grid_steps", "width"] == {0.2, 0.7}
    assert ranges["stairs_standard", "depth"] == {0.25, 1.0}


def test_explicit_parameters_replace_the_difficulty():
    assert parameters("stairs_standard", 1.0, height=0.05) == {"height": 0.05, "depth": 0.3, "direction": 1}
    assert parameters("step_up", height=0.7) == {"height": 0.7}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "lava"}, "choose one of flat, rough"),
        ({"family": "rough", "height": 0.1}, "it has amplitude, feature"),
        ({"family": "flat", "height": 0.1}, "it has none"),
        ({"family": "step_up", "height": float("nan")}, "within 0 to 1 m"),
        ({"family": "step_up", "height": -0.1}, "within 0 to 1 m"),
        ({"family": "stairs_up", "depth": 0.0}, "depth must be within"),
        ({"family": "stairs_standard", "direction": 0}, "must be one of"),
        ({"family": "rough_discrete", "levels": 2.5}, "must be one of"),
        ({"family": "rough", "difficulty": 1.5}, "within 0 and 1"),
        ({"family": "rough", "difficulty": float("nan")}, "within 0 and 1"),
        ({"family": "rough", "seed": -1}, "seed"),
        ({"family": "rough", "size": (0.5, 8.0)}, "sides"),
        ({"family": "rough", "size": (float("nan"), 8.0)}, "sides"),
        ({"family": "stairs_up", "size": (5.0, 5.0)}, "longer than 5 m"),
    ],
)
def test_bad_terrain_gets_one_clear_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_tile(**arguments)
