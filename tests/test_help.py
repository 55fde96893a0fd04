"""The help of train.py: short, at once, and true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import train
from training.flags import OFTEN, SYMBOLS

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "mujoco", "numba", "rsl_rl", "gymnasium", "scipy")


def shown(capsys: Any, *argv: str) -> str:
    """What a command line shows before it ends well."""
    with pytest.raises(SystemExit) as end:
        train.main(argv)
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_shows_what_people_use_and_explains_its_symbols(capsys: Any) -> None:
    text = shown(capsys, "--task", "anymal_flat", "--help")
    flags = set(re.findall(r"^\W (--[a-z-]+)", text, re.MULTILINE))
    assert 15 <= len(flags) <= 25 and "--env.gait.apex" not in text
    assert all(flag in text for flag in OFTEN) and all(symbol in text for symbol in SYMBOLS)
    assert "--help-all" in text


def test_all_help_shows_every_setting_with_the_defaults_of_the_task(capsys: Any) -> None:
    text = shown(capsys, "--task", "anymal_flat", "--help-all")
    assert "--env.gait.apex" in text and "default: flat" in text and "c_k" in text
    assert all(flag.split()[0].replace("no-", "") in text.replace("no-", "") for flag in OFTEN)


def test_settings_that_help_shows_as_examples_are_taken() -> None:
    assert train.parse(" ".join(OFTEN).split()).env.drive.model == "pd"


def test_help_needs_nothing_that_takes_long_to_import() -> None:
    code = f"import sys, training.flags; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
