"""Look at a policy on terrain: `python play.py --checkpoint`; `--help` names every setting."""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import LARGEST_SEED, EnvConfig
from envs.depth import DepthConfig
from envs.height_noise import Level
from envs.randomization import NONE
from envs.rendering import SIZE
from envs.tasks import task_config
from envs.terrains import Tile, load_heightmap, make_tile
from envs.terrains.tile import put_between_walls
from evaluation.agents import Agent, find_pretrained, load_agent
from evaluation.belief import BeliefView, require_student
from evaluation.cells import HEIGHTMAPS, PARAMETERS
from evaluation.drives import OWN, Drives
from evaluation.noise import MAPPED, SENSED, require_sensors, with_map, with_noise
from evaluation.playing import ENDLESS, Walk, ground_line, play
from evaluation.recording import Screen, Window, find_viewer, recording
from system import stopping
from system.console import show, tell
from system.files import free_file
from system.numbers import require_finite
from system.shell import quoted

RECORDING_SECONDS, LONGEST = 10.0, 86_400.0
"""s, length of a recording by default, and of the longest play that can be asked for."""
NOMINAL = "nominal"
ON_MAC = ", or run play.py with mjpython instead of python." if sys.platform == "darwin" else "."
"""MuJoCo's window on macOS opens for its own interpreter alone."""
FASTEST = 5.0
"""m/s and rad/s, largest command."""


@dataclass(frozen=True)
class Args:
    """Look at a policy on terrain: in a window where there is a screen; on a page for a browser, where you drive it."""

    checkpoint: tuple[Path, ...] = ()
    """Policy file or run directory, several for a page; the bare flag, or none, means the pretrained policy. A .json or
    .onnx of export.py walks by its runner, as on a robot."""
    agent: Literal["policy", "zero", "random"] = "policy"
    """zero (the gait alone) and random need no checkpoint."""
    task: str | None = None
    """Task whose world it is: your own, FILE.py:NAME, with the terrains and other terms that its file adds."""
    terrain: str = "stairs_up"
    """Terrain family (python -m envs.terrains draws them), or a heightmap file (.npy, .npz, .png, .tif)."""
    difficulty: float | None = None
    """0 to 1, linear over the family's range; default 0.5."""
    height: float | None = None
    """m, height of steps, risers, columns or boxes, in place of what the difficulty gives."""
    depth: float | None = None
    """m, depth of a stair's tread."""
    width: float | None = None
    """m, width of large steps, step stairs, columns or paths."""
    slope: float | None = None
    """Degrees, inclination."""
    amplitude: float | None = None
    """m, amplitude of rough ground."""
    feature: float | None = None
    """m, size of the bumps of rough ground."""
    levels: float | None = None
    """Number of heights of discrete rough ground."""
    density: float | None = None
    """Boxes per m^2."""
    direction: float | None = None
    """1 for stairs that rise, -1 for stairs that fall."""
    wall: float | None = None
    """m, height of the walls of corridors and stairwells; up to 1.1 m they are banisters."""
    drop: float | None = None
    """m, depth of the drop beside a bridge."""
    walls: tuple[float, float] | None = None
    """m, width and height: put a lane (step_up, stairs_up, ...) between walls so far apart and so high."""
    resolution: float | None = None
    """m between the samples of a heightmap file; default 0.05."""
    scale: float | None = None
    """m, height of full white in a PNG heightmap."""
    start: tuple[float, float] | None = None
    """m, where the robot starts on a heightmap file, from its corner of least x and y; default in its middle."""
    heading: float | None = None
    """Degrees from +x towards +y, in which it starts there; default 0."""
    noise: Level | None = None
    """Errors of the elevation map that a Student gets, or how it fails; mapped: a map of its own; default nominal."""
    map: DepthConfig = SENSED
    """Depth sensors and odometry under noise mapped."""
    drive: Drives = OWN
    """Drives in place of those that the policy was trained with."""
    command: tuple[float, float, float] = (0.7, 0.0, 0.0)
    """Forward and lateral velocity in m/s and yaw rate in rad/s; with yaw rate 0 the heading is held."""
    seconds: float | None = None
    """s to play; default 10 for a recording, until it is closed for a window or a page."""
    seed: int = 0
    """Seed of terrain, start and the random agent."""
    viewer: Literal["web", "window", "video"] | None = None
    """Page for a browser, MuJoCo's window, or a video; by default the window where there is a screen, else the page;
    several policies, and --follow, have the page."""
    host: str = "127.0.0.1"
    """Address that the page listens at: by default this computer alone; 0.0.0.0 lets others look and drive, too."""
    port: int = 8080
    """Port of the page."""
    follow: bool = False
    """Have the page load the newest policy of the run that --checkpoint names whenever its training writes one."""
    video: Path | None = None
    """Video to write (.mp4); by default play_<terrain>.mp4 with --viewer video."""
    frames: Path | None = None
    """Folder to write every picture to as a PNG."""
    belief: bool = False
    """Dots at the height samples around the feet as they are, as a Student sees and as it reconstructs them, and, under
    noise mapped, at what its own map knows."""
    size: tuple[int, int] = SIZE
    """Pixels, width and height of the pictures."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Play as the command line says; exit code 0 when finished or interrupted, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="play.py")
    try:
        refuse_nonsense(args)
        if choose_viewer(args) == "web":
            print(open_page(args))
            return 0
        agent, tile = choose_agent(args), make_terrain(args)
        student = require_student(agent) if args.belief else None
        env = agent.world(make_config(args, agent), [tile])
        belief = BeliefView(env, student, args.noise or NOMINAL) if student else None
        with ExitStack() as stack:
            screen, seconds, written = open_screen(args, env, belief, stack)
            view = f"; noise {args.noise or NOMINAL}" if agent.env.noisy_groups else ""
            command = " ".join(f"{part:g}" for part in args.command)
            tell(f"{agent.name} on {ground_line(args.terrain, tile)}; command {command}{view}")
            steps = None if seconds is None else max(1, round(seconds / env.cfg.dt))
            walk = play(env, agent, screen, steps, args.seed)
    except (ValueError, OSError) as error:
        print(f"play.py: {error}", file=sys.stderr)
        return 2
    show("\n".join([str(walk), *(f"Wrote {quoted(path)}" for path in written)]))
    return 0


def refuse_nonsense(args: Args) -> None:
    """Raise a ValueError for numbers that make no sense."""
    require_finite(args.map, "map")
    require_finite(args.drive, "drive")
    if not all(abs(part) <= FASTEST for part in args.command):
        raise ValueError(f"--command takes three numbers within -{FASTEST:g} and {FASTEST:g}: m/s, m/s and rad/s.")
    if args.seconds is not None and not 0.0 < args.seconds <= LONGEST:
        raise ValueError(f"--seconds must be above 0 and at most {LONGEST:g}, not {args.seconds:g}.")
    if not 0 <= args.seed < LARGEST_SEED:
        raise ValueError(f"--seed must be a number from 0 to {LARGEST_SEED - 1}, not {args.seed}.")
    if args.noise == MAPPED:
        require_sensors(args.map)
    elif args.map != SENSED:
        raise ValueError(f"--map.* is for a map that the robot makes by itself: add --noise {MAPPED}.")


def choose_viewer(args: Args) -> Literal["web", "window", "video"]:
    """Where to look, or a ValueError for what cannot be seen there."""
    recorded = args.video is not None or args.frames is not None
    if recorded and args.viewer not in (None, "video"):
        raise ValueError(f"--video and --frames record; leave out --viewer {args.viewer}.")
    of_page = len(args.checkpoint) > 1 or args.follow
    screen = "window" if find_viewer() is not None and not of_page else "web"
    chosen = args.viewer or ("video" if recorded else screen)
    if chosen == "window" and find_viewer() is None:
        raise ValueError("There is no screen for a window here: choose --viewer web or --viewer video" + ON_MAC)
    if chosen != "web" and of_page:
        raise ValueError("Several policies, and --follow, need a page: choose --viewer web.")
    return chosen


def open_page(args: Args) -> Walk:
    """Show all that was named on a page, and what the robot that was looked at achieved."""
    try:
        from viewer.web import Visit, visit
    except ModuleNotFoundError as error:
        raise ValueError(
            f"The page needs {error.name}: `pip install -r requirements.txt` in the clone, or choose --viewer video."
        ) from error
    agents = [choose_agent(replace(args, checkpoint=(path,))) for path in args.checkpoint] or [choose_agent(args)]
    if args.follow and not args.checkpoint:
        raise ValueError("--follow needs the folder of a run that trains: name it with --checkpoint.")
    noisy = any(agent.env.noisy_groups for agent in agents)
    if args.noise is not None and not noisy:
        raise ValueError(f"--noise is for Students; leave it out for {agents[0].name}.")
    request = Visit(
        agents=agents,
        ground=make_terrain(args),
        terrain=args.terrain,
        noise=args.noise or NOMINAL,
        command=args.command,
        seed=args.seed,
        host=args.host,
        port=args.port,
        seconds=args.seconds,
        follow=args.checkpoint[0] if args.follow else None,
        belief=args.belief,
        depth=args.map,
        task=task_config(args.task),
        drives=args.drive,
    )
    return visit(request)


def choose_agent(args: Args) -> Agent:
    """Who walks: a baseline agent, the policy that was named, or the pretrained one."""
    task = task_config(args.task)
    if args.agent != "policy":
        if args.checkpoint:
            raise ValueError(f"--agent {args.agent} takes no checkpoint; leave out {args.checkpoint[0]}.")
        return load_agent(args.agent, task, args.drive)
    if args.checkpoint:
        return load_agent(args.checkpoint[0], task, args.drive)
    try:
        find_pretrained()
    except ValueError as error:
        raise ValueError(
            "There is no pretrained policy: train one with train.py and name its folder with --checkpoint, "
            "or look at the gait alone with --agent zero."
        ) from error
    return load_agent(None, task, args.drive)


def make_terrain(args: Args) -> Tile:
    """The ground: a family's tile, or a user's heightmap."""
    explicit = {name: getattr(args, name) for name in PARAMETERS if getattr(args, name) is not None}
    if Path(args.terrain).suffix.lower() not in HEIGHTMAPS:
        if any(value is not None for value in (args.resolution, args.scale, args.start, args.heading)):
            flags = "--resolution, --scale, --start and --heading"
            raise ValueError(f"{flags} describe a heightmap file; name one as --terrain.")
        tile = make_tile(args.terrain, args.difficulty, args.seed, **explicit)
        return tile if args.walls is None else put_between_walls(tile, *args.walls)
    given = [*explicit, *(name for name in ("difficulty", "walls") if getattr(args, name) is not None)]
    if given:
        name = given[0]
        raise ValueError(f"--{name} shapes a terrain family; leave it out for the heightmap file {args.terrain}.")
    return load_heightmap(args.terrain, args.resolution, args.scale, args.start, args.heading or 0.0)


def make_config(args: Args, agent: Agent) -> EnvConfig:
    """One robot as it comes, without randomisation, under a constant command."""
    commands = CommandConfig(fixed=args.command)
    if args.noise is not None and not agent.env.noisy_groups:
        raise ValueError(f"--noise is for Students; leave it out for {agent.name}.")
    robot = with_noise(replace(agent.env, num_envs=1, threads=1, seed=args.seed), args.noise or NOMINAL)
    robot = with_map(robot, args.map)
    return replace(robot, commands=commands, randomization=NONE, episode_seconds=ENDLESS)


def open_screen(
    args: Args, env: AnymalEnv, belief: BeliefView | None, stack: ExitStack
) -> tuple[Screen, float | None, list[Path]]:
    """Where to look at it, for how many s if it ends, and the files that this writes; `stack` closes it."""
    if choose_viewer(args) == "window" and (viewer := find_viewer()) is not None:
        return stack.enter_context(closing(Window(env, viewer, belief))), args.seconds, []
    video = args.video
    if video is None and args.frames is None:
        video = stack.enter_context(free_file(Path(f"play_{Path(args.terrain).stem}.mp4")))
    screen = stack.enter_context(recording(env, args.size, video, args.frames, belief))
    written = [path for path in (video, args.frames) if path is not None]
    return screen, args.seconds or RECORDING_SECONDS, written


if __name__ == "__main__":
    sys.exit(main())
