"""Maps from what a robot has recorded: point clouds and an odometry in a ROS 1 or ROS 2 bag; needs `rosbags`.

for moment in replay("bag", {"/depth_front/points": Mounted((0.48, 0.02, -0.04), (1.0, 0.0, 0.0, 0.0))}, "/odometry"):
    heights = moment.elevation.height(points)
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapping.elevation_map import ElevationMap
from mapping.points import PointErrors, point_variance

FLOATS = {7: "f4", 8: "f8"}
"""Datatypes of PointField that coordinates may have -> numpy's."""
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
    rotation: NDArray[np.float64]

    @property
    def heading(self) -> float:
        """rad."""
        return math.atan2(self.rotation[1, 0], self.rotation[0, 0])


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
) -> Iterator[Moment]:
    """Build a map of the clouds (sensor_msgs/PointCloud2) of these topics and an odometry (nav_msgs/Odometry)."""
    elevation, poses = elevation or ElevationMap(), []
    for topic, message in messages(Path(bag), [*sensors, odometry]):
        if topic == odometry:
            poses = [*poses[-POSES_KEPT:], pose_of(message)]
            continue
        seconds = stamp_of(message)
        at = bisect_right([pose.seconds for pose in poses], seconds)
        if not at:
            continue  # before the odometry begins
        pose, mounted = poses[at - 1], sensors[topic]
        eye = pose.position_w + pose.rotation @ np.array(mounted.position_b)
        points = points_of(message) @ (pose.rotation @ rotation(mounted.quaternion_b)).T + eye
        elevation.move(pose.position_w, pose.heading)
        elevation.integrate(points, eye, point_variance(points, eye, errors))
        yield Moment(seconds, topic, pose, points, elevation)


def messages(bag: Path, topics: list[str]) -> Iterator[tuple[str, Any]]:
    """The messages of these topics in the order of their recording; a BagError where there are none of one."""
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
            if missing := set(topics) - {each.topic for each in wanted}:
                there = ", ".join(sorted({each.topic for each in reader.connections}))
                raise BagError(f"{bag} has no {min(missing)}, but {there or 'nothing'}.")
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
    """The pose of an Odometry message."""
    place, turn = message.pose.pose.position, message.pose.pose.orientation
    position = np.array([place.x, place.y, place.z])
    return Pose(stamp_of(message), position, rotation((turn.w, turn.x, turn.y, turn.z)))


def points_of(message: Any) -> NDArray[np.float64]:
    """x, y and z (k, 3) m of a PointCloud2, in its frame; a BagError if it has none, or not as floats."""
    fields = {field.name: field for field in message.fields}
    if any(name not in fields or fields[name].datatype not in FLOATS for name in "xyz"):
        raise BagError(f"A cloud has {', '.join(fields) or 'no fields'}: x, y and z as floats are needed.")
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
    rows = [np.frombuffer(content, layout, message.width, row * message.row_step) for row in range(message.height)]
    points = np.concatenate(rows) if rows else np.empty(0, layout)
    return np.stack([points[name].astype(np.float64) for name in "xyz"], axis=-1)


def rotation(quaternion: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """Rotation (3, 3) of a quaternion w, x, y, z of any length."""
    w, x, y, z = np.array(quaternion) / max(math.sqrt(sum(part * part for part in quaternion)), 1e-12)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
