"""Names, sizes and order of what enters and leaves a policy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from anymal_policy import layout


@pytest.mark.parametrize(("group", "entries"), [("proprio", 133), ("extero", 208), ("privileged", 50)])
def test_observation_groups_have_the_paper_sizes(group: str, entries: int) -> None:
    assert layout.size(layout.GROUPS[group]) == entries


def test_action_is_four_phase_offsets_then_twelve_residuals() -> None:
    assert layout.slices(layout.ACTION) == {"phase_offset": slice(0, 4), "joint_residual": slice(4, 16)}


@pytest.mark.parametrize("terms", [*layout.GROUPS.values(), layout.ACTION])
def test_slices_tile_the_vector_without_gap_or_overlap(terms: tuple[layout.Term, ...]) -> None:
    where = layout.slices(terms)
    indices = np.concatenate([np.arange(layout.size(terms))[where[term.name]] for term in terms])
    assert len(where) == len(terms)
    np.testing.assert_array_equal(indices, np.arange(layout.size(terms)))


def test_joints_run_leg_by_leg() -> None:
    assert layout.JOINTS[:4] == ("LF_HAA", "LF_HFE", "LF_KFE", "RF_HAA")
    assert layout.JOINTS[-1] == "RH_KFE"


def test_stance_is_left_right_and_front_hind_symmetric() -> None:
    legs = layout.DEFAULT_JOINT_POSITION.reshape(4, 3)
    np.testing.assert_array_equal(legs[0], (0.0, 0.4, -0.8))
    np.testing.assert_array_equal(legs[[1, 3]], legs[[0, 2]])
    np.testing.assert_array_equal(legs[2], -legs[0])


def test_joint_limits_mirror_between_left_and_right() -> None:
    lower, upper = layout.JOINT_LOWER.reshape(4, 3), layout.JOINT_UPPER.reshape(4, 3)
    np.testing.assert_array_equal(lower[[1, 3], 0], -upper[[0, 2], 0])
    np.testing.assert_array_equal(upper[[1, 3], 0], -lower[[0, 2], 0])
    assert np.all(layout.DEFAULT_JOINT_POSITION > layout.JOINT_LOWER)
    assert np.all(layout.DEFAULT_JOINT_POSITION < layout.JOINT_UPPER)


def test_ring_radii_and_counts_are_the_paper_s() -> None:
    radii = np.linalg.norm(layout.ring_offsets(), axis=-1)
    np.testing.assert_allclose(radii, np.repeat([0.08, 0.16, 0.26, 0.36, 0.48], [6, 8, 10, 12, 16]))


def test_rings_start_straight_ahead_and_run_counter_clockwise() -> None:
    rings = np.split(layout.ring_offsets(), np.cumsum([6, 8, 10, 12]))
    for ring, (points, radius) in zip(rings, layout.RINGS, strict=True):
        np.testing.assert_array_equal(ring[0], (radius, 0.0))
        angles = np.unwrap(np.arctan2(ring[:, 1], ring[:, 0]))
        np.testing.assert_allclose(np.diff(angles), 2 * np.pi / points)


def test_rings_map_onto_themselves_when_mirrored() -> None:
    points = layout.ring_offsets()
    distances = np.linalg.norm(points[:, None] * (1, -1) - points, axis=-1)
    np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-12)


def test_heights_that_are_unknown_read_as_the_sole_s_and_none_is_out_of_reach() -> None:
    raw = np.array([[0.3, np.nan, 2.5], [-0.99, -np.inf, -4.0]], np.float32)
    usable = layout.usable_heights(raw)
    np.testing.assert_array_equal(usable, np.array([[0.3, 0, 1], [-0.99, 0, -1]], np.float32))
    assert usable.dtype == np.float32 and np.isnan(raw[0, 1])


def test_layout_needs_no_torch() -> None:
    code = "import sys, anymal_policy.layout; sys.exit('torch' in sys.modules or 'einops' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
