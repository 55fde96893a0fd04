"""The example of a robot's computer ends in one sentence for whatever it cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples import run_on_map

STUDENT = str(Path(__file__).parents[1] / "pretrained" / "student.json")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["--contract", "gone.json"], "There is no contract gone.json"),
        (["--contract", STUDENT, "--speed", "nan"], "command must be 3 finite numbers"),
        (["--contract", STUDENT, "--seconds", "nan"], "--seconds must be above 0 and at most 3600, not nan"),
        (["--contract", STUDENT, "--seconds", "inf"], "--seconds must be above 0 and at most 3600, not inf"),
    ],
)
def test_what_cannot_be_walked_is_said_in_one_sentence(
    asked: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_on_map.run(asked) == 2
    said = capsys.readouterr().err
    assert said.startswith("run_on_map: ") and reason in said and said.count("\n") == 1
