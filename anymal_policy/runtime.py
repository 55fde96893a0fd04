"""Runs an exported Student on one robot with numpy and onnxruntime alone: measurements in, joint targets out at 50 Hz.

    runner = Runner("student.json")
    target = runner.step(measurement, command=(0.5, 0.0, 0.0), height=elevation_map)

On the robot itself nothing else of this project is needed: this file and what it imports know no torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anymal_policy import contract, layout
from anymal_policy.kinematics import foot_positions, rotation_matrix
from anymal_policy.plausible import Course, follow, refuse_astray, refuse_implausible, refuse_no_stance

HeightQuery = Callable[[NDArray[np.float64]], ArrayLike]
"""Height of the ground (k,) m at world points (k, 2) m; NaN where the map knows none."""

LARGEST = 1e9
"""Of any measurement or command; what is larger has no place in the network's float32."""
CHECKED = 1.0
"""s of an episode in which measurements are checked by default."""
SHORTEST = 0.1
"""Length under which an orientation says nothing."""
SIZES = {
    "joint_position": 12,
    "joint_velocity": 12,
    "base_position_w": 3,
    "base_quaternion": 4,
    "linear_velocity_b": 3,
    "angular_velocity_b": 3,
}
"""Entries of what every measurement must have."""


@dataclass(frozen=True)
class Measurement:
    """What sensors and state estimator of the robot say at the start of a policy step."""

    joint_position: ArrayLike
    """(12,) rad, in the order of `layout.JOINTS`."""
    joint_velocity: ArrayLike
    """(12,) rad/s."""
    base_position_w: ArrayLike
    """(3,) m, origin of the base in the frame of the elevation map."""
    base_quaternion: ArrayLike
    """(4,) w, x, y, z, base to world."""
    linear_velocity_b: ArrayLike
    """(3,) m/s, of the base origin in the base frame."""
    angular_velocity_b: ArrayLike
    """(3,) rad/s, in the base frame (IMU)."""
    gravity_b: ArrayLike | None = None
    """(3,) direction of gravity in the base frame (IMU); None for what the quaternion says."""
    own: Mapping[str, ArrayLike] = field(default_factory=dict)
    """What an own task has the policy observe besides, by name (the contract's `inputs`)."""


class Runner:
    """An exported Student and its memory of one robot."""

    def __init__(self, path: Path | str, threads: int = 1, check: bool | None = None) -> None:
        """Load an exported policy, its .json or its .onnx (ContractError if anything is wrong); begins an episode.

        `check` refuses measurements that contradict each other or that no ANYmal has (anymal_policy/plausible.py):
        always, never, or, by default, in the first second of an episode, when nothing has gone wrong yet. Whether
        places and velocities agree, and whether it stands at the start, is asked in that second alone.
        """
        self.check, self.steps = check, 0
        self.contract, self.session = load(Path(path), threads)
        self.outputs: dict[str, NDArray[np.float32]] = {}
        self.memory: dict[str, NDArray[np.float32]] = {}
        self.course: Course | None = None
        contract.require(self.contract, path, {"kinematics": ("chain_m", "foot_radius_m")})
        self.chain = np.array(self.contract["kinematics"]["chain_m"])
        self.foot_radius = float(self.contract["kinematics"]["foot_radius_m"])
        self.offsets = layout.ring_offsets()
        self.own = [name for name in self.contract["inputs"] if name not in {*SIZES, "command", "gravity_b", "heights"}]
        self.names = [output.name for output in self.session.get_outputs()]

    def reset(self) -> None:
        """Forget everything: the next step begins an episode with all feet on the ground."""
        self.outputs, self.memory, self.course, self.steps = {}, {}, None, 0

    def step(self, measurement: Measurement, command: ArrayLike, height: HeightQuery) -> NDArray[np.float32]:
        """Joint targets (12,) rad to track for the next 20 ms.

        `command` is forward and lateral velocity over the ground in m/s and yaw rate in rad/s. After it, `outputs`
        holds everything that the policy gave: estimates, gate, action. A measurement that is not finite, or fails the
        check, is refused with a ValueError and changes nothing.
        """
        values, rotation = self._measured(measurement, command, height)
        course = follow(self.course, values, rotation)
        self._refuse(values, rotation, course)
        values["heights"] = layout.usable_heights(values["heights"])
        measured = {name: values[name].astype(np.float32)[None] for name in self.contract["inputs"]}
        memory = self.memory or self.start(measured)
        results = self.session.run(self.names, {**measured, **memory})
        outputs = dict(zip(self.names, results, strict=True))
        if not all(np.isfinite(values).all() for values in results):
            raise ValueError("The policy gave numbers that are not finite, so there is no target; nothing has changed.")
        self.memory = {name: outputs.pop(f"next_{name}") for name in memory}
        self.outputs = {name: values[0] for name, values in outputs.items()}
        self.steps, self.course = self.steps + 1, course
        return self.outputs["joint_target"].copy()

    def _measured(
        self, m: Measurement, command: ArrayLike, height: HeightQuery
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
        """What the network's inputs other than its memory are made of, (size,) each, and rotation of base to world."""
        values = {name: _finite(name, getattr(m, name), size) for name, size in SIZES.items()}
        values["command"] = _finite("command", command, 3)
        for name in self.own:
            if name not in m.own:
                meaning = self.contract["inputs"][name]["meaning"]
                raise ValueError(f"The policy observes '{name}' ({meaning}): give it in Measurement.own.")
            values[name] = _finite(name, m.own[name], self.contract["inputs"][name]["shape"][1])
        rotation = rotation_matrix(_unit("base_quaternion", values["base_quaternion"]))
        down = -rotation[2] if m.gravity_b is None else _finite("gravity_b", m.gravity_b, 3)
        values["gravity_b"] = _unit("gravity_b", down)
        return {**values, "heights": self._heights(values, rotation, height)}, rotation

    def _refuse(self, values: Mapping[str, NDArray], rotation: NDArray, course: Course) -> None:
        """Raise a ValueError for what cannot be, as far as `check` asks for it."""
        begins = self.steps < CHECKED / layout.POLICY_DT
        if self.check or (self.check is None and begins):
            refuse_implausible(values, rotation)
            if self.steps == 0:
                refuse_no_stance(values["joint_position"])
            if begins:
                refuse_astray(course, values["base_position_w"], rotation, values["joint_position"])

    def _heights(self, m: Mapping[str, NDArray], rotation: NDArray, height: HeightQuery) -> NDArray[np.float64]:
        """Heights of the ground (208,) m relative to the soles; NaN where the map knows none."""
        feet = m["base_position_w"] + foot_positions(m["joint_position"], self.chain) @ rotation.T
        heading = math.atan2(rotation[1, 0], rotation[0, 0])
        c, s = math.cos(heading), math.sin(heading)
        points = feet[:, None, :2] + self.offsets @ np.array([[c, s], [-s, c]])
        ground = np.asarray(height(points.reshape(-1, 2)), np.float64)
        if ground.shape != (points.size // 2,):
            raise ValueError(f"The height query gave {ground.shape} for {points.size // 2} points: one each is needed.")
        soles = np.repeat(feet[:, 2] - self.foot_radius, len(self.offsets))
        return ground - soles

    def start(self, measured: Mapping[str, NDArray]) -> dict[str, NDArray[np.float32]]:
        """Memory at the start of an episode: numbers of the contract, and histories that hold the present."""
        memory = {}
        for name, entry in self.contract["memory"].items():
            start = measured[entry["start"]] if isinstance(entry["start"], str) else entry["start"]
            memory[name] = np.resize(np.float32(start), [1 if axis == "n" else axis for axis in entry["shape"]])
        return memory


def load(path: Path, threads: int) -> tuple[dict[str, Any], Any]:
    """Contract and network of an exported policy: of its .json, or of an .onnx, which carries its contract itself."""
    model = path.with_suffix(".onnx")
    if path != model and (path.is_file() or not model.is_file()):
        record = contract.read(path)
        return record, _session(path.parent / record["onnx"]["file"], threads)
    if not model.is_file():
        raise contract.ContractError(f"There is no exported policy {path}: export.py writes one.")
    session = _session(model, threads)
    text = session.get_modelmeta().custom_metadata_map.get(contract.METADATA)
    beside = path.with_suffix(".json")
    if text is None and not beside.is_file():
        raise contract.ContractError(f"{model} carries no contract, and there is no {beside}: export anew.")
    return (contract.read(beside) if text is None else contract.parse(text, model)), session


def _finite(name: str, value: ArrayLike, size: int) -> NDArray[np.float64]:
    """The value as `size` finite numbers."""
    array = np.asarray(value, np.float64)
    if array.shape != (size,) or not np.abs(array).max() <= LARGEST:
        raise ValueError(f"{name} must be {size} finite numbers, not {value}.")
    return array


def _unit(name: str, vector: NDArray) -> NDArray[np.float64]:
    """The vector at length 1."""
    length = math.sqrt(vector @ vector)
    if length < SHORTEST:
        raise ValueError(f"{name} has no direction: its length is {length:.2g}.")
    return vector / length


def _session(model: Path, threads: int) -> Any:
    """The network in onnxruntime on this many threads."""
    try:
        import onnxruntime
    except ImportError as error:
        raise contract.ContractError(
            "Running an exported policy needs onnxruntime: pip install onnxruntime."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a type of its own for each way in which a file is none of its kind
        raise contract.ContractError(f"{model} is no network that onnxruntime can read.") from error
