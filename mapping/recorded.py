"""Maps from what a robot has recorded: point clouds and an odometry in a ROS 1 or ROS 2 bag; needs `rosbags`.

for moment in replay("bag", {"/depth_front/points": Mounted((0.48, 0.02, -0.04), (1.0, 0.0, 0.0, 0.0))}, "/odometry"):
    heights = moment.elevation.height(points)
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapping.elevation_map import ElevationMap
from mapping.points import PointErrors, outside, placed, point_variance

FLOATS = {7: "f4", 8: "f8"}
"""Datatypes of PointField that coordinates may have -> numpy's."""
CLOUD, ODOMETRY = "sensor_msgs/msg/PointCloud2", "nav_msgs/msg/Odometry"
"""Types of messages."""
FURTHEST_APART = 0.5
"""s between two poses, above which it is not known where the robot was in between."""
LATEST = 0.1
"""s after the last pose, up to which the robot is taken to be there still."""
SHORTEST = 1e-3
"""Length under which a quaternion says nothing, and rad under which rotations lie on a line."""
POSES_KEPT = 2000
"""Poses of the odometry that are kept for clouds that come late: 10 s at 200 Hz."""


class BagError(ValueError):
    """A bag cannot be replayed; the message is one sentence for the user."""


class Mounted(NamedTuple):
    """Where the frame of a sensor's points is on the base."""

    position_b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """m."""
    quaternion_b: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """w, x, y, z, from its frame to the base's."""


class Pose(NamedTuple):
    """The base in the odometry's frame."""

    seconds: float
    position_w: NDArray[np.float64]
    """(3,) m."""
    quaternion: NDArray[np.float64]
    """(4,) w, x, y, z, of length 1."""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3), from the base's frame."""
        return rotation(self.quaternion)

    @property
    def heading(self) -> float:
        """rad."""
        turn = self.rotation
        return math.atan2(turn[1, 0], turn[0, 0])


class Moment(NamedTuple):
    """The map after a cloud."""

    seconds: float
    """s, of the cloud's own stamp."""
    topic: str
    pose: Pose
    """Of the base then."""
    points_w: NDArray[np.float64]
    """(k, 3) m."""
    elevation: ElevationMap
    """The same one in every moment."""


def replay(
    bag: Path | str,
    sensors: Mapping[str, Mounted],
    odometry: str,
    elevation: ElevationMap | None = None,
    errors: PointErrors | None = None,
    own: Callable[[float], ArrayLike] | None = None,
) -> Iterator[Moment]:
    """Build a map of the clouds (sensor_msgs/PointCloud2) of these topics and an odometry (nav_msgs/Odometry).

    Clouds of moments at which the odometry has no pose are left out; a BagError if all are. Points within 5 cm of the
    robot's `own` capsules (c, 7) m, in the base's frame at a time in s (anymal_policy.kinematics.leg_capsules), are not
    of the ground.
    """
    elevation, poses, used = elevation or ElevationMap(), [], False
    turns = {topic: rotation(unit(mounted.quaternion_b)) for topic, mounted in sensors.items()}
    for topic, message in messages(Path(bag), {odometry: ODOMETRY} | dict.fromkeys(sensors, CLOUD)):
        if topic == odometry:
            poses = poses[-POSES_KEPT:]
            insort(poses, pose_of(message), key=lambda pose: pose.seconds)
            continue
        seconds = stamp_of(message)
        pose, mounted = pose_at(seconds, poses), sensors[topic]
        if pose is None:
            continue
        turn, used = pose.rotation, True
        eye = pose.position_w + turn @ np.array(mounted.position_b)
        points = points_of(message) @ (turn @ turns[topic]).T + eye
        if own is not None:
            points = points[outside(points, placed(own(seconds), pose.position_w, turn))]
        elevation.move(pose.position_w, pose.heading)
        elevation.integrate(points, eye, point_variance(points, eye, errors))
        yield Moment(seconds, topic, pose, points, elevation)
    if not used:
        raise BagError(f"{bag} has no cloud of a time at which {odometry} has a pose: their clocks differ.")


def pose_at(seconds: float, poses: Sequence[Pose]) -> Pose | None:
    """Where the base was at a time, from poses in the order of theirs; None where they do not tell.

    Between two poses it goes straight and turns about one axis, both evenly; it stays at the last one for `LATEST` s.
    """
    number = bisect_right(poses, seconds, key=lambda pose: pose.seconds)
    before, after = poses[max(number - 1, 0) : number], poses[number : number + 1]
    if before and after and after[0].seconds - before[0].seconds <= FURTHEST_APART:
        return between(before[0], after[0], seconds)
    return before[0] if before and seconds - before[0].seconds <= LATEST else None


def between(before: Pose, after: Pose, seconds: float) -> Pose:
    """The pose at a time between those of two others: position linear, rotation by slerp, the shorter way round."""
    share = (seconds - before.seconds) / (after.seconds - before.seconds)
    one = before.quaternion
    other = math.copysign(1.0, one @ after.quaternion) * after.quaternion
    angle = 2 * math.atan2(float(np.linalg.norm(other - one)), float(np.linalg.norm(other + one)))
    weights = (1 - share, share) if angle < SHORTEST else (math.sin((1 - share) * angle), math.sin(share * angle))
    position = (1 - share) * before.position_w + share * after.position_w
    return Pose(seconds, position, unit(weights[0] * one + weights[1] * other))


def messages(bag: Path, topics: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The messages of topics, each of its type, in the order of their recording; a BagError where one is missing."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise BagError("Reading bags needs rosbags: pip install rosbags.") from error
    if not bag.exists():
        raise BagError(f"There is no bag {bag}.")
    try:
        with AnyReader([bag], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
            wanted = [each for each in reader.connections if each.topic in topics]
            if missing := topics.keys() - {each.topic for each in wanted}:
                there = ", ".join(sorted({each.topic for each in reader.connections}))
                raise BagError(f"{bag} has no {min(missing)}, but {there or 'nothing'}.")
            for each in wanted:
                if each.msgtype != topics[each.topic]:
                    raise BagError(f"{each.topic} of {bag} is {each.msgtype}, not {topics[each.topic]}.")
            for connection, _, content in reader.messages(connections=wanted):
                yield connection.topic, reader.deserialize(content, connection.msgtype)
    except BagError:
        raise
    except Exception as error:  # rosbags, its compressors and sqlite raise a dozen types on damaged files
        raise BagError(f"{bag} cannot be read: {error}") from error


def stamp_of(message: Any) -> float:
    """s, of a message's header."""
    return message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec


def pose_of(message: Any) -> Pose:
    """The pose of an Odometry message; a BagError for one that is none."""
    place, turn = message.pose.pose.position, message.pose.pose.orientation
    position = np.array([place.x, place.y, place.z])
    if not np.isfinite(position).all():
        raise BagError(f"The odometry has the position {position.tolist()}, which is no place.")
    return Pose(stamp_of(message), position, unit((turn.w, turn.x, turn.y, turn.z)))


def points_of(message: Any) -> NDArray[np.float64]:
    """x, y and z (k, 3) m of a PointCloud2, in its frame; a BagError if it has none, or not as floats."""
    fields = {field.name: field for field in message.fields}
    if any(name not in fields or fields[name].datatype not in FLOATS for name in "xyz"):
        raise BagError(f"A cloud has {', '.join(fields) or 'no fields'}: x, y and z as floats are needed.")
    ends = [fields[name].offset + int(FLOATS[fields[name].datatype][1]) for name in "xyz"]
    if max(ends) > message.point_step:
        raise BagError(f"A cloud's points have {message.point_step} bytes, x, y and z end at {max(ends)}.")
    order = ">" if message.is_bigendian else "<"
    layout = np.dtype(
        {
            "names": list("xyz"),
            "formats": [order + FLOATS[fields[name].datatype] for name in "xyz"],
            "offsets": [fields[name].offset for name in "xyz"],
            "itemsize": message.point_step,
        }
    )
    content = np.ascontiguousarray(message.data, np.uint8).tobytes()
    if len(content) < message.height * message.row_step or message.row_step < message.width * message.point_step:
        raise BagError(f"A cloud holds fewer points than its {message.height} x {message.width}.")
    rows = [np.frombuffer(content, layout, message.width, row * message.row_step) for row in range(message.height)]
    points = np.concatenate(rows) if rows else np.empty(0, layout)
    return np.stack([points[name].astype(np.float64) for name in "xyz"], axis=-1)


def unit(quaternion: ArrayLike) -> NDArray[np.float64]:
    """A quaternion (4,) w, x, y, z of length 1; a BagError for one of no length."""
    parts = np.asarray(quaternion, np.float64)
    length = float(np.linalg.norm(parts))
    if not SHORTEST < length < math.inf:
        raise BagError(f"The quaternion {tuple(parts.tolist())} (w, x, y, z) has no direction.")
    return parts / length


def rotation(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation (3, 3) of a quaternion (4,) w, x, y, z of length 1."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
