"""What the suite's mapfail says of a Student: which requirements it meets, by rows made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.experiments.failing_maps import GROUNDS, MAP_CONDITIONS
from evaluation.experiments.mapfail_tables import markdown
from evaluation.experiments.requirements import REQUIREMENTS, Requirement, verdict
from evaluation.statistics import wilson

AT_LEAST = Requirement("stairs", "success", 0.97, ("covered", "blank"), ("stairs_up 0.15",))
NO_WORSE = Requirement("no worse", "difference", -0.02, ("blank",), ("flat", "rough 0.05"))


def row(condition: str, ground: str, successes: int = 300, **own: Any) -> dict[str, Any]:
    share = successes / 300
    values = {"success": share, "ci95": list(wilson(successes, 300)), "episodes": 300, "blind_student": False}
    beside = {"blind": 1.0, "blind_ci95": [0.99, 1.0], "difference": share - 1, "difference_ci95": [-0.1, 0.01]}
    counts = {"falls": 300 - successes, "out_of_lane": 0, "timeouts": 0, "speed": 0.61}
    return {"checkpoint": "s", "condition": condition, "ground": ground, **values, **beside, **counts, **own}


@pytest.mark.parametrize(
    ("covered", "blank", "below", "met"),
    [(291, 300, "0", "yes"), (290, 300, "1", "open"), (280, 300, "1", "no"), (290, 280, "2", "no")],
)
def test_a_value_below_the_least_is_a_failure_if_its_interval_is_below_too(
    covered: int, blank: int, below: str, met: str
) -> None:
    found = [row("covered", "stairs_up 0.15", covered), row("blank", "stairs_up 0.15", blank), row("jump", "flat", 0)]
    line = verdict(AT_LEAST, found)
    assert (line["below"], line["met"], line["cells"]) == (below, met, "2 of 2")


def test_the_worst_value_is_named() -> None:
    line = verdict(AT_LEAST, [row("covered", "stairs_up 0.15"), row("blank", "stairs_up 0.15", 295)])
    assert line["worst"] == "blank, stairs_up 0.15" and line["value"].startswith("0.983 [0.9")


def test_six_of_300_fewer_than_blind_are_allowed() -> None:
    line = verdict(NO_WORSE, [row("blank", "flat", 294)])
    assert (line["met"], line["cells"]) == ("so far", "1 of 2")
    assert verdict(NO_WORSE, [row("blank", "flat", 294), row("blank", "rough 0.05", 294)])["met"] == "yes"
    assert verdict(NO_WORSE, [row("blank", "flat", 293)])["met"] == "open"
    assert verdict(NO_WORSE, [row("blank", "flat", 293, difference_ci95=[-0.05, -0.021])])["met"] == "no"


def test_what_was_not_made_is_neither_met_nor_missed() -> None:
    assert verdict(AT_LEAST, [row("nominal", "flat")])["met"] == "not measured"
    assert verdict(REQUIREMENTS[0], [])["cells"] == f"0 of {13 * 11}"


def test_speeds_have_no_interval() -> None:
    speed = next(each for each in REQUIREMENTS if each.quantity == "speed")
    assert verdict(speed, [row("nominal", "corridor 1.2", speed=0.59)])["met"] == "no"
    assert verdict(speed, [row("nominal", "corridor 1.2", speed=0.6)])["value"] == "0.600"


def test_a_corridor_is_to_be_crossed_every_time() -> None:
    always = next(each for each in REQUIREMENTS if each.words == "between walls")
    assert verdict(always, [row("nominal", "corridor 1.2", 300)])["met"] == "yes"
    assert verdict(always, [row("nominal", "corridor 1.2", 299)])["below"] == "1"


def test_requirements_are_about_grounds_and_conditions_that_there_are() -> None:
    for each in REQUIREMENTS:
        assert set(each.grounds) <= {ground.name for ground in GROUNDS}
        assert set(each.conditions) <= {condition.name for condition in MAP_CONDITIONS}


def test_the_text_has_overview_and_summary_for_each_student_before_everything_in_full() -> None:
    blind = {
        key: value for key, value in row("any map", "flat").items() if "difference" not in key and "blind_" not in key
    }
    blind |= {"checkpoint": "b", "blind_student": True, "blind": None}
    students = [row(condition, "flat", checkpoint=name) for name in ("s", "t") for condition in ("nominal", "blank")]
    text = markdown([blind, *students])
    titles = [line for line in text.splitlines() if line.startswith(("Success of", "What", "In full"))]
    assert [title.split()[:2] for title in titles] == [
        ["Success", "of"],
        ["What", "s"],
        ["Success", "of"],
        ["What", "t"],
        ["In", "full:"],
    ]
    assert text.count("| nominal | 1.000 / 1.000: +0.000 [-0.100, +0.010] |") == 2
    assert text.count("| large noise does not |") == 2
    full = text.split("In full:")[1]
    assert (
        full.count("| b | any map | flat | 1.000 [0.987, 1.000] |  |  |") == 1
        and full.count("| t | blank | flat |") == 1
    )
