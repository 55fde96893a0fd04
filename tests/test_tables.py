from __future__ import annotations

from typing import Any

import pytest

from evaluation.tables import console_table, markdown_table


def cell(**changes: Any) -> dict[str, Any]:
    return {
        "checkpoint": "pretrained/teacher.pt",
        "terrain": "rough",
        "difficulty": 0.5,
        "noise": None,
        "episodes": 300,
        "success": 0.97,
        "ci95": [0.94389, 0.9841],
        "falls": 4,
        "velocity_error": 0.12345,
    } | changes


STAIRS = cell(terrain="stairs_up", difficulty=None, parameters={"height": 0.17, "depth": 0.3})


def test_console_table_says_what_the_cell_says() -> None:
    heading, _, row = console_table([cell()]).splitlines()
    assert heading.split("  ")[0] == "checkpoint"
    assert row.split() == ["pretrained/teacher.pt", "rough", "0.5", "300", "0.970", "[0.944,", "0.984]", "4", "0.123"]


def test_console_columns_line_up() -> None:
    heading, rule, *rows = console_table([cell(), STAIRS, cell(checkpoint="zero", episodes=5)]).splitlines()
    assert {len(line) for line in (heading, rule, *rows)} == {len(rule)}
    gaps = [i for i, mark in enumerate(rule) if mark == " "]
    ends = {heading.index("terrain") - 1, heading.index("difficulty") - 1, heading.index("parameters") - 1}
    assert ends <= set(gaps)
    assert all(row[end] == " " for row in rows for end in ends)


def test_numbers_line_up_on_the_right() -> None:
    heading, _, long, short = console_table([cell(), cell(episodes=5)]).splitlines()
    end = heading.index("episodes") + len("episodes")
    assert long[:end].endswith(" 300")
    assert short[:end].endswith("   5")


def test_explicit_parameters_are_named() -> None:
    assert "height 0.17, depth 0.3" in console_table([STAIRS])


def test_columns_that_no_cell_fills_are_left_out() -> None:
    heading = console_table([cell()]).splitlines()[0]
    assert "parameters" not in heading
    assert "noise" not in heading
    assert "noise" in console_table([cell(), cell(noise="large")]).splitlines()[0]


def test_zero_is_a_value_not_a_gap() -> None:
    row = markdown_table([cell(difficulty=0.0, falls=0, success=0.0, ci95=[0.0, 0.0126])]).splitlines()[2]
    assert row == "| pretrained/teacher.pt | rough | 0 | 300 | 0.000 [0.000, 0.013] | 0 | 0.123 |"


def test_markdown_rows_have_as_many_fields_as_the_heading() -> None:
    lines = markdown_table([cell(), STAIRS, cell(checkpoint="runs/a|b/policy.pt")]).splitlines()
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}
    assert "runs/a\\|b/policy.pt" in lines[4]


@pytest.mark.parametrize("table", [console_table, markdown_table])
def test_a_table_of_nothing_is_refused(table: Any) -> None:
    with pytest.raises(ValueError, match="at least one"):
        table([])
