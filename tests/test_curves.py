from __future__ import annotations

import csv

import numpy as np
import pytest

from evaluation.curves import SMOOTHING, main, read_curves, smooth


def write_run(path, rows):
    path.mkdir()
    with (path / "curves.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_samples_count_on_from_run_to_run_and_missing_values_are_nan(tmp_path):
    first = write_run(
        tmp_path / "a",
        [{"iteration": 1, "train/samples": 10.0, "x": 1.0}, {"iteration": 2, "train/samples": 20.0, "x": ""}],
    )
    second = write_run(tmp_path / "b", [{"iteration": 1, "train/samples": 10.0, "x": 3.0, "y": 4.0}])
    curves = read_curves([first, second])
    np.testing.assert_array_equal(curves["train/samples"], [10.0, 20.0, 30.0])
    np.testing.assert_array_equal(curves["x"], [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(curves["y"], [np.nan, np.nan, 4.0])


def test_smoothing_is_the_mean_of_the_known_values_up_to_now():
    values = np.arange(2.0 * SMOOTHING)
    values[3] = np.nan
    smoothed = smooth(values)
    assert smoothed[2] == pytest.approx(1.0)
    assert smoothed[4] == pytest.approx((0 + 1 + 2 + 4) / 4)
    assert smoothed[-1] == pytest.approx(values[-SMOOTHING:].mean())


def test_picture_is_written_and_a_directory_without_curves_is_refused(tmp_path, capsys):
    run = write_run(tmp_path / "a", [{"iteration": 1, "train/samples": 10.0, "tracking/linear": 0.5}])
    assert main([str(run), "--out", str(tmp_path / "c.png")]) == 0
    assert (tmp_path / "c.png").stat().st_size > 1000
    assert main([str(tmp_path), "--out", str(tmp_path / "d.png")]) == 2
    assert "name the directory of a training run" in capsys.readouterr().err


def test_curves_that_are_just_being_written_are_drawn_as_far_as_they_are_there(tmp_path):
    run = write_run(tmp_path / "a", [{"iteration": 1, "train/samples": 10.0, "x": 1.0}])
    with (run / "curves.csv").open("a") as file:
        file.write("2,2")
    np.testing.assert_array_equal(read_curves([run])["train/samples"], [10.0])


def test_curves_that_a_table_program_has_saved_are_still_curves(tmp_path):
    run = write_run(tmp_path / "a", [{"iteration": 1, "train/samples": 10.0, "x": 1.0}])
    content = (run / "curves.csv").read_bytes()
    (run / "curves.csv").write_bytes(b"\xef\xbb\xbf" + content)
    np.testing.assert_array_equal(read_curves([run])["x"], [1.0])


def test_a_picture_without_an_ending_gets_one_and_other_tables_are_refused(tmp_path, capsys):
    run = write_run(tmp_path / "a", [{"iteration": 1, "train/samples": 10.0, "tracking/linear": 0.5}])
    assert main([str(run), "--out", str(tmp_path / "c")]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c.png"]
    other = write_run(tmp_path / "b", [{"iteration": 1, "x": 10.0}])
    assert main([str(other), "--out", str(tmp_path / "d.png")]) == 2
    assert "rows without train/samples" in capsys.readouterr().err
