"""The command line of evaluate.py, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from envs.depth import DepthConfig
from evaluation.drives import OWN, Drives
from evaluation.noise import MAPPED, SENSED, require_sensors
from evaluation.physics import Physics


@dataclass(frozen=True)
class Args:
    """How often policies get across which terrain, with 95 % intervals; lists are separated by commas."""

    checkpoint: tuple[str, ...] = ()
    """Policy files, run directories, exported policies (.json, .onnx), and the baseline agents zero and random; by
    default the pretrained policy."""
    agent: Literal["policy", "zero", "random"] = "policy"
    """zero or random evaluates that baseline agent alone; it needs no checkpoint."""
    task: str | None = None
    """Task whose terrains and other own terms there are: your own, FILE.py:NAME; the conditions stay the same."""
    terrains: str = "flat,rough,slope_up,slope_down,step_up,step_down,stairs_up,stairs_down"
    """Terrain families (python -m envs.terrains draws them), or heightmap files (.npy, .npz, .png, .tif)."""
    noise: str = "nominal"
    """Errors of the elevation maps that Students get: none, nominal, offset, noisy, small, large, covered; or how they
    fail: blank, invented, plane, elsewhere, frozen, stuck, jump, wall, corridor, holes, partial, late, drift, shadow,
    dropout; or mapped: the maps that the robots' own depth sensors make."""
    map: DepthConfig = SENSED
    """Depth sensors and odometry under noise mapped."""
    difficulties: str = "0.25,0.5"
    """Difficulties from 0 to 1, each linear over its family's range."""
    height: str = ""
    """m, heights of steps, risers, columns or boxes, in place of difficulties."""
    depth: str = ""
    """m, depths of a stair's tread."""
    width: str = ""
    """m, widths of large steps, step stairs, columns or paths."""
    slope: str = ""
    """Degrees, inclinations."""
    amplitude: str = ""
    """m, amplitudes of rough ground."""
    feature: str = ""
    """m, sizes of the bumps of rough ground."""
    levels: str = ""
    """Numbers of heights of discrete rough ground."""
    density: str = ""
    """Boxes per m^2."""
    direction: str = ""
    """1 for stairs that rise, -1 for stairs that fall (--direction=-1)."""
    wall: str = ""
    """m, heights of the walls of corridors and stairwells; up to 1.1 m they are banisters."""
    drop: str = ""
    """m, depths of the drop beside a bridge."""
    walls: tuple[float, float] | None = None
    """m, width and height: put lanes (step_up, stairs_up, ...) between walls so far apart and so high."""
    resolution: float | None = None
    """m between the samples of a heightmap file; default 0.05."""
    scale: float | None = None
    """m, height of full white in a PNG heightmap."""
    start: tuple[float, float] | None = None
    """m, where robots start on a heightmap file, from its corner of least x and y; default in its middle."""
    heading: str = "0"
    """Degrees from +x towards +y, in which they start there, a row of results each; any: a new one in each episode."""
    episodes: int | None = None
    """Episodes of each policy on each ground; default 100, in a suite each experiment's own number."""
    physics: Physics = Physics()
    """Physics, whatever the policies were trained with."""
    drive: Drives = OWN
    """Drives in place of those that the policies were trained with."""
    seed: int = 0
    """Seed of terrain, start states, randomisation and pushes."""
    threads: int = 2
    """Threads of the physics; do not change results."""
    json: Path | None = None
    """File for the results with all settings."""
    markdown: Path | None = None
    """File for the table."""
    suite: str = ""
    """Experiments in place of terrains: paper, or some of reference, transfer, gait, mapfail, gate, mapping, maps,
    steps, distance, robustness, commands and curves."""
    out: Path | None = None
    """Directory for the results of a suite; what it holds already is not made again."""
    teacher: Path | None = None
    """Teacher that the suite's distance compares Students with; default the pretrained one."""
    drive_network: Path | None = None
    """File of an actuator network, for the line of the suite's transfer in which it drives the joints."""
    robot_urdf: Path | None = None
    """URDF file of an ANYmal C, for the line of the suite's transfer in which it walks in plain MuJoCo."""
    runs: tuple[Path, ...] = ()
    """Run directories of the trainings that the suite's curves compare."""
    map_cells: int = 9
    """Cells along each side of the suite's success maps (paper: 41)."""
    conditions: str = ""
    """Conditions of the map in the suite's mapfail; default all."""
    grounds: str = ""
    """Grounds of the suite's mapfail, like stairs_up (all of them) or "stairs_up 0.17"; default all."""


OF_SUITES = ("suite", "out", "teacher", "drive_network", "robot_urdf", "runs", "map_cells", "conditions", "grounds")
"""Settings that go with --suite alone."""
SHARED = ("checkpoint", "agent", "task", "drive", "episodes", "seed", "threads")
"""Settings that go with terrains and suites alike; all others go with terrains."""


def require_one_kind(args: Args) -> None:
    """Raise a ValueError if settings of terrains and of suites are mixed."""
    if args.suite:
        of_terrains = (each.name for each in fields(Args) if each.name not in SHARED + OF_SUITES)
        refuse(args, of_terrains, "is no part of a suite")
    else:
        refuse(args, OF_SUITES, "goes with --suite alone")


def refuse(args: Args, names: Iterable[str], reason: str) -> None:
    """Raise a ValueError if one of these settings was asked for."""
    for name in names:
        if getattr(args, name) != getattr(Args, name):
            raise ValueError(f"{flag(name)} {reason}; leave it out.")


def flag(name: str) -> str:
    """A setting as on the command line."""
    return f"--{name.replace('_', '-')}"


def require_sizes(args: Args) -> None:
    """Raise a ValueError for a number that is too small."""
    for name, least in (("episodes", 1), ("threads", 1), ("seed", 0), ("map_cells", 2)):
        number = getattr(args, name)
        if number is not None and number < least:
            raise ValueError(f"{flag(name)} must be at least {least}, not {number}.")


def require_map(args: Args, noises: Iterable[str]) -> None:
    """Refuse maps without sensors, and sensors that nobody looks through."""
    if MAPPED in noises:
        require_sensors(args.map)
    elif args.map != SENSED:
        raise ValueError(f"--map.* is for maps that robots make by themselves: add {MAPPED} to --noise.")


def require_writable(path: Path | None) -> None:
    """Refuse a file for results, if there is one, that is a directory or would need one."""
    if path is not None and (path.is_dir() or not path.resolve().parent.is_dir()):
        raise ValueError(f"{path} cannot be written: name a file in a directory that exists.")


def agent_names(args: Args) -> list[str | None]:
    """Who is evaluated, each once; None for the pretrained policy."""
    if args.agent == "policy":
        return list(dict.fromkeys(args.checkpoint)) or [None]
    if args.checkpoint:
        raise ValueError(
            f"--agent {args.agent} takes no checkpoint; for one table name both: --checkpoint PATH {args.agent}."
        )
    return [args.agent]


def items(flag: str, text: str) -> list[str]:
    """The parts of a comma-separated list."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ValueError(f"--{flag} takes a list like a,b, not '{text}'.")
    return parts


def numbers(flag: str, text: str) -> list[float]:
    """The numbers of a comma-separated list."""
    try:
        values = [float(part) for part in items(flag, text)]
    except ValueError:
        values = [math.nan]
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"--{flag} takes numbers like 0.1,0.2, not '{text}'.")
    return values
