"""The example of a robot's computer: it climbs, filters its legs out, and says in one sentence what it cannot do."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from anymal_policy.gait import leg_chain
from anymal_policy.kinematics import leg_capsules
from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs.depth.mounts import CAMERAS
from envs.drives import PD, DriveConfig
from examples import run_on_map
from mapping import outside, placed

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


def test_legs_in_a_picture_are_filtered_out() -> None:
    model = run_on_map.world(PD)
    data = mujoco.MjData(model)
    run_on_map.stand(model, data)
    legs = placed(leg_capsules(DEFAULT_JOINT_POSITION, leg_chain().numpy()), data.qpos[:3], np.eye(3))
    seen = np.concatenate([run_on_map.look(model, data, camera)[0] for camera in CAMERAS.values()])
    near = seen[np.hypot(seen[:, 0], seen[:, 1]) < 1.4]
    kept = near[outside(near, legs, run_on_map.MARGIN)]
    assert (near[:, 2] > 0.1).sum() > 20  # of legs
    assert len(kept) > 500 and np.abs(kept[:, 2]).max() < 0.01


def test_the_drives_are_those_of_the_contract() -> None:
    kinds = [set(run_on_map.world(drive).actuator_dyntype) for drive in (DriveConfig("anydrive"), PD)]
    assert kinds[0] == {int(mujoco.mjtDyn.mjDYN_USER)} != kinds[1]


@pytest.mark.slow
def test_it_climbs_stairs_on_a_map_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_on_map.run(["--contract", STUDENT]) == 0
    words = capsys.readouterr().out.split()
    assert words[0] == "Walked" and float(words[1]) > 3.0 and float(words[5]) > 0.7
