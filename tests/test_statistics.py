from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from evaluation.statistics import mean_interval, wilson


@pytest.mark.parametrize(
    ("successes", "n", "lo", "hi"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, lo: float, hi: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, Table I, method 3."""
    assert wilson(successes, n) == pytest.approx((lo, hi), abs=6e-5)


@pytest.mark.parametrize(("successes", "n"), [(291, 300), (300, 300), (0, 300), (7, 10), (1, 1)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    interval = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n, z=1.959963984540054) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_wilson_ends_exactly_at_zero_and_one() -> None:
    assert all(wilson(0, n)[0] == 0.0 and wilson(n, n)[1] == 1.0 for n in range(1, 400))


def test_wilson_is_symmetric_in_success_and_failure() -> None:
    lo, hi = wilson(3, 11)
    assert wilson(8, 11) == pytest.approx((1 - hi, 1 - lo), abs=1e-15)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


def test_mean_interval_of_a_worked_example() -> None:
    """Mean 5, sample variance 32 / 7 with n - 1, eight values: half width 1.96 sqrt(32 / 56)."""
    mean, interval = mean_interval([2, 4, 4, 4, 5, 5, 7, 9])
    half_width = 1.96 * math.sqrt(4 / 7)
    assert mean == 5
    assert interval == pytest.approx((5 - half_width, 5 + half_width))


def test_mean_of_one_value_has_no_interval() -> None:
    assert mean_interval([0.3]) == (0.3, None)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_mean_interval_refuses_what_has_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)
