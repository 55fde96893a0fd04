from __future__ import annotations

import math

import pytest
from scipy.stats import binomtest

from evaluation.statistics import mean_interval, paired_difference, wilson


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


def pairs(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    """So many trials in which both, the first alone, the second alone and none succeeded."""
    return (
        [True] * (both + first) + [False] * (second + neither),
        [True] * both + [False] * first + [True] * second + [False] * neither,
    )


@pytest.mark.parametrize(
    ("table", "difference", "lo", "hi"),
    [((1, 1, 7, 12), -0.286, -0.507, -0.026), ((14, 5, 0, 22), 0.122, 0.011, 0.226)],
)
def test_differences_of_pairs_have_the_published_intervals(
    table: tuple[int, int, int, int], difference: float, lo: float, hi: float
) -> None:
    """Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850; Altman et al. 2000, p. 52."""
    value, interval = paired_difference(*pairs(*table))
    assert (value, *interval) == pytest.approx((difference, lo, hi), abs=6e-4)


def test_the_difference_of_pairs_changes_sign_with_their_order() -> None:
    value, (lo, hi) = paired_difference(*pairs(200, 70, 10, 20))
    turned, (low, high) = paired_difference(*pairs(200, 10, 70, 20))
    assert (turned, low, high) == pytest.approx((-value, -hi, -lo))


def test_pairs_that_agree_say_more_than_pairs_that_do_not() -> None:
    """180 and 150 of 300 succeed either way."""
    (one, agree), (other, differ) = (
        paired_difference(*pairs(145, 35, 5, 115)),
        paired_difference(*pairs(30, 150, 120, 0)),
    )
    assert one == pytest.approx(other) == 0.1
    assert agree[1] - agree[0] < 0.75 * (differ[1] - differ[0])


def test_successes_without_exception_have_an_interval() -> None:
    value, (lo, hi) = paired_difference(*pairs(300, 0, 0, 0))
    assert value == 0 and lo == pytest.approx(-0.0126, abs=1e-4) and hi == -lo
    assert paired_difference(*pairs(0, 50, 0, 0))[1][1] == pytest.approx(1.0)


def test_mean_interval_of_a_worked_example() -> None:
    """Mean 5, sample variance 32 / 7 with n - 1, eight values: half width t sqrt(32 / 56), t of 7 from the tables."""
    mean, interval = mean_interval([2, 4, 4, 4, 5, 5, 7, 9])
    half_width = 2.364624 * math.sqrt(4 / 7)
    assert mean == 5
    assert interval == pytest.approx((5 - half_width, 5 + half_width))


def test_mean_of_one_value_has_no_interval() -> None:
    assert mean_interval([0.3]) == (0.3, None)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_mean_interval_refuses_what_has_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)
