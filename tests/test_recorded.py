"""Maps of recorded bags: a bag that the test writes gives the map that its clouds make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from depth_scenes import EYE, look
from numpy.typing import NDArray

from mapping.recorded import BagError, Mounted, Pose, points_of, pose_at, replay

rosbags = pytest.importorskip("rosbags")
CAMERA, ODOMETRY = "/depth/points", "/odometry"
STEP = [((1.0, -9.0, -1.0), (9.0, 9.0, 0.2))]
QUARTER = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))
"""A quarter of a turn to the left."""


def write(
    path: Path,
    clouds: list[tuple[float, NDArray]],
    poses: list[tuple[float, NDArray]],
    gap: int = 4,
    of_the_record: tuple[float, ...] = (),
    turned: Callable[[float], tuple[float, ...]] = lambda _: QUARTER,
) -> None:
    """Clouds (k, 3) m in the sensor's frame and places of a base that looks along y, at their times in s.

    The places are recorded at those times, or at others in s; `turned` gives another quaternion at each time.
    """
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types

    def header(seconds: float):
        whole = int(seconds)
        stamp = types["builtin_interfaces/msg/Time"](sec=whole, nanosec=round(1e9 * (seconds - whole)))
        return types["std_msgs/msg/Header"](stamp=stamp, frame_id="any")

    def cloud(seconds: float, points: NDArray):
        content = np.zeros((len(points), 12 + gap), np.uint8)
        content[:, :12] = points.astype("<f4").view(np.uint8).reshape(-1, 12)
        field = types["sensor_msgs/msg/PointField"]
        return types["sensor_msgs/msg/PointCloud2"](
            header=header(seconds), height=1, width=len(points), is_bigendian=False, is_dense=True,
            fields=[field(name=name, offset=4 * i, datatype=7, count=1) for i, name in enumerate("xyz")],
            point_step=12 + gap, row_step=len(points) * (12 + gap), data=content.reshape(-1),
        )  # fmt: skip

    def odometry(seconds: float, place: NDArray):
        w, x, y, z = turned(seconds)
        vector, zeros = types["geometry_msgs/msg/Vector3"], np.zeros(36)
        pose = types["geometry_msgs/msg/Pose"](
            position=types["geometry_msgs/msg/Point"](*(float(part) for part in place)),
            orientation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
        )
        still = types["geometry_msgs/msg/Twist"](linear=vector(0.0, 0.0, 0.0), angular=vector(0.0, 0.0, 0.0))
        return types["nav_msgs/msg/Odometry"](
            header=header(seconds), child_frame_id="base",
            pose=types["geometry_msgs/msg/PoseWithCovariance"](pose=pose, covariance=zeros),
            twist=types["geometry_msgs/msg/TwistWithCovariance"](twist=still, covariance=zeros),
        )  # fmt: skip

    with Writer(path, version=9) as writer:
        kinds = {CAMERA: "sensor_msgs/msg/PointCloud2", ODOMETRY: "nav_msgs/msg/Odometry"}
        connections = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in kinds.items()}
        times = of_the_record or tuple(seconds for seconds, _ in poses)
        messages = [odometry(seconds, place) for seconds, place in poses]
        recorded = [(time, ODOMETRY, message) for time, message in zip(times, messages, strict=True)]
        recorded += [(seconds + 0.05, CAMERA, cloud(seconds, points)) for seconds, points in clouds]  # they come late
        for seconds, topic, message in sorted(recorded, key=lambda each: each[0]):
            content = store.serialize_cdr(message, kinds[topic])
            writer.write(connections[topic], round(1e9 * seconds), content)


def test_a_bag_gives_the_map_of_its_clouds(tmp_path: Path) -> None:
    """A base that looks along y sees a step 1 m ahead of its camera, from where it was when the picture was taken."""
    mounted = Mounted((0.3, 0.0, 0.1))
    seen = look(STEP, width=160, height=160) - EYE
    base = np.array([2.0, 5.0, EYE[2] - 0.1])
    poses = [(10.0 + 0.02 * i, base + [0.0, 0.0 if i < 10 else 3.0, 0.0]) for i in range(20)]
    write(tmp_path / "bag", [(9.0, seen), *((10.0 + 0.06 * i, seen) for i in range(4))], poses)
    moments = list(replay(tmp_path / "bag", {CAMERA: mounted}, ODOMETRY))
    assert [moment.seconds for moment in moments] == pytest.approx([10.0, 10.06, 10.12, 10.18])
    heights = moments[-1].elevation.height(np.array([[2.0, 6.1], [2.0, 6.5], [2.3, 6.5]]))
    assert heights == pytest.approx([0.0, 0.2, 0.2], abs=0.01)


def test_points_of_the_robot_itself_are_left_out(tmp_path: Path) -> None:
    """A capsule of the base, 0.4 m to its left, which looks along y, lies over the ground at x = -0.4 m."""
    times: list[float] = []

    def leg(seconds: float) -> NDArray:
        times.append(seconds)
        return np.array([[-0.5, 0.4, 0.2, 0.5, 0.4, 0.2, 0.05]])

    points = np.array([[0.1, 0.4, 0.2], [0.1, 0.4, 0.31], [0.1, -0.4, 0.2]])  # base
    write(tmp_path / "bag", [(1.0, points)], [(1.0, np.array([0.0, 1.0, 0.0]))])
    (moment,) = replay(tmp_path / "bag", {CAMERA: Mounted()}, ODOMETRY, own=leg)
    np.testing.assert_allclose(moment.points_w, [[-0.4, 1.1, 0.31], [0.4, 1.1, 0.2]], atol=1e-6)
    assert times == [1.0]


def test_bags_without_what_is_needed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BagError, match="There is no bag"):
        list(replay(tmp_path / "none", {CAMERA: Mounted()}, ODOMETRY))
    write(tmp_path / "bag", [(1.0, np.zeros((3, 3)))], [(0.9, np.zeros(3))])
    with pytest.raises(BagError, match="has no /other, but /depth/points, /odometry"):
        list(replay(tmp_path / "bag", {"/other": Mounted()}, ODOMETRY))
    (tmp_path / "broken").mkdir()
    with pytest.raises(BagError, match="cannot be read"):
        list(replay(tmp_path / "broken", {CAMERA: Mounted()}, ODOMETRY))


def test_late_poses_are_put_in_order_and_clouds_without_a_pose_are_left_out(tmp_path: Path) -> None:
    seen = look(STEP, width=40, height=40) - EYE
    poses = [(1.0, np.zeros(3)), (1.1, np.array([0.0, 2.0, 0.0]))]
    write(tmp_path / "bag", [(1.1, seen), (5.0, seen)], poses, of_the_record=(1.01, 1.0))
    moments = list(replay(tmp_path / "bag", {CAMERA: Mounted()}, ODOMETRY))
    assert [moment.pose.position_w[1] for moment in moments] == [2.0]


def test_points_are_put_where_the_base_was_at_the_time_of_their_cloud(tmp_path: Path) -> None:
    """On a steady motion along a line and about a tilted axis, a turn in 3 s; clouds lie off the poses' times."""
    velocity, axis, rate = np.array([0.7, -0.2, 0.1]), np.array([0.2, -0.4, np.sqrt(0.8)]), 2 * np.pi / 3
    points = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.5, -0.5, -1.0]])

    def quaternion(seconds: float) -> tuple[float, ...]:
        half, sign = rate * seconds / 2, (-1) ** round(seconds / 0.04)  # both signs are the same rotation
        return tuple(float(sign * part) for part in (np.cos(half), *np.sin(half) * axis))

    def seen(seconds: float) -> NDArray:
        """Rodrigues' formula."""
        angle, along = rate * seconds, np.outer(points @ axis, axis)
        turned = along + np.cos(angle) * (points - along) + np.sin(angle) * np.cross(axis, points)
        return turned + velocity * seconds

    times = [0.013 + 0.073 * i for i in range(40)]
    poses = [(0.04 * i, velocity * 0.04 * i) for i in range(80)]
    write(tmp_path / "bag", [(time, points) for time in times], poses, turned=quaternion)
    moments = list(replay(tmp_path / "bag", {CAMERA: Mounted()}, ODOMETRY))
    assert [moment.seconds for moment in moments] == pytest.approx(times)
    for moment in moments:
        np.testing.assert_allclose(moment.points_w, seen(moment.seconds), atol=1e-6)


@pytest.mark.parametrize(("seconds", "known"), [(0.99, False), (1.0, True), (1.09, True), (1.11, False), (1.4, False)])
def test_a_base_is_taken_to_stand_still_for_a_moment_alone(seconds: float, known: bool) -> None:
    """After its last pose, and where its odometry pauses for a second."""
    still = Pose(1.0, np.ones(3), np.array(QUARTER))
    for poses in ([still], [still, still._replace(seconds=2.0)]):
        assert (pose_at(seconds, poses) is still) == known
        assert known or pose_at(seconds, poses) is None


def test_clocks_that_differ_are_said(tmp_path: Path) -> None:
    write(tmp_path / "bag", [(900.0, np.zeros((3, 3)))], [(1.0, np.zeros(3))])
    with pytest.raises(BagError, match="their clocks differ"):
        list(replay(tmp_path / "bag", {CAMERA: Mounted()}, ODOMETRY))


def test_what_makes_no_map_is_said(tmp_path: Path) -> None:
    write(tmp_path / "bag", [(1.0, np.zeros((3, 3)))], [(0.9, np.array([0.0, 0.0, np.nan]))])
    with pytest.raises(BagError, match="is no place"):
        list(replay(tmp_path / "bag", {CAMERA: Mounted()}, ODOMETRY))
    with pytest.raises(BagError, match="has no direction"):
        list(replay(tmp_path / "bag", {CAMERA: Mounted(quaternion_b=(0.0, 0.0, 0.0, 0.0))}, ODOMETRY))
    with pytest.raises(BagError, match="/depth/points of .* is sensor_msgs/msg/PointCloud2, not nav_msgs/msg/Odometry"):
        list(replay(tmp_path / "bag", {ODOMETRY: Mounted()}, CAMERA))


@pytest.mark.parametrize("change", [{"width": 9}, {"point_step": 8}, {"row_step": 20}])
def test_a_damaged_cloud_is_said(change: dict[str, int]) -> None:
    fields = [SimpleNamespace(name=name, offset=4 * i, datatype=7) for i, name in enumerate("xyz")]
    intact = {"height": 1, "width": 3, "point_step": 12, "row_step": 36, "data": np.zeros(36, np.uint8)}
    assert points_of(SimpleNamespace(fields=fields, is_bigendian=False, **intact)).shape == (3, 3)
    with pytest.raises(BagError, match="cloud"):
        points_of(SimpleNamespace(fields=fields, is_bigendian=False, **(intact | change)))
