"""Configuration of an environment: every number, with its unit and source; field docstrings are the CLI's help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from anymal_policy.gait import GaitConfig
from envs.commands import CommandConfig
from envs.curriculum import CurriculumConfig
from envs.depth.config import DepthConfig
from envs.drives import PD, DriveConfig
from envs.engines import EngineName
from envs.height_noise import HeightNoiseConfig
from envs.latency import LatencyConfig
from envs.own import OwnTerms
from envs.randomization import RandomizationConfig
from envs.rewards import TRACKING_VARIANCE, RewardWeights
from envs.robot import SHAPES, Shapes
from envs.sensor_noise import SensorNoiseConfig
from envs.solver import SolverConfig
from envs.terrains.surface import Collider

LARGEST_SEED = 2**62
"""Seeds are below it; torch's generators take 64 bits, and ranks add to it."""


@dataclass(frozen=True)
class TerrainConfig:
    """The training terrain: a bank of tiles, one per cell of each type's discretised parameters."""

    types: tuple[str, ...] = ()
    """Names of the curriculum's terrain types (envs.terrains.TRAINING_TYPES); empty for all that the collider holds."""
    tile_size: float = 8.0
    """m, side of a square tile; a robot starts in the middle."""
    border: float = 0.6
    """m from a tile's edge at which a robot has crossed it: the episode ends there as a time-out."""
    seed: int = 0
    """Seed of the tiles' shapes."""


@dataclass(frozen=True)
class EnvConfig:
    """One task: world, robot, commands, rewards, schedules."""

    num_envs: int = 512
    """Robots simulated side by side."""
    seed: int = 0
    """Seed of everything random in the environment."""
    threads: int = 2
    """Threads of the physics; does not change results."""
    episode_seconds: float = 20.0
    """s until an episode times out."""
    decimation: int = 4
    """Physics steps per policy step: 4 of 5 ms in 20 ms."""
    engine: EngineName = "mujoco"
    """What computes the physics: mujoco on the CPU's cores, warp (MuJoCo Warp, extra gpu) on a GPU (decision 90)."""
    collider: Collider = "exact"
    """Contacts with the terrain: exact is ours, fast, with upright risers and overhangs; stock is MuJoCo's, without."""
    shapes: Shapes = SHAPES
    """What touches the ground besides the feet: links has their shapes (URDF), spheres a few in their place."""
    fall_penalty: float = 1.0
    """Subtracted once from the reward when a robot falls (decision 3)."""
    linear_variance: float = TRACKING_VARIANCE
    """(m/s)^2: squared velocity error at which the reward for linear tracking has fallen to 1/e (decision 2)."""
    action_limit: float = 10.0
    """Actions are clipped to +- this."""
    noisy_groups: bool = False
    """Observe what a robot would perceive, too: the groups proprio_noisy and extero_noisy, for a Student."""
    caution_probability: float = 0.3
    """Fraction of a Teacher's episodes in which it walks as one whose map says nothing, so that it can show that to a
    Student whose map fails (decision 72); 0, as in the paper: it never learns that. Given tiles have no such episodes;
    a Student's is its Teacher's."""
    terrain: TerrainConfig = field(default_factory=TerrainConfig)
    """Terrain."""
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    """Terrain curriculum and c_k."""
    commands: CommandConfig = field(default_factory=CommandConfig)
    """Commands."""
    randomization: RandomizationConfig = field(default_factory=RandomizationConfig)
    """Domain randomisation."""
    rewards: RewardWeights = field(default_factory=RewardWeights)
    """Reward weights."""
    drive: DriveConfig = field(default_factory=DriveConfig)
    """What a joint does with its target."""
    gait: GaitConfig = field(default_factory=GaitConfig)
    """Central pattern generator and action scales."""
    height_noise: HeightNoiseConfig = field(default_factory=HeightNoiseConfig)
    """Errors of the elevation map in extero_noisy."""
    depth: DepthConfig = field(default_factory=DepthConfig)
    """Sensors whose map is in extero_noisy in place of the truth."""
    sensor_noise: SensorNoiseConfig = field(default_factory=SensorNoiseConfig)
    """Errors of sensors and state estimator in proprio_noisy."""
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    """Delays of actions and of proprio_noisy."""
    solver: SolverConfig = field(default_factory=SolverConfig)
    """Contacts."""
    own: OwnTerms = field(default_factory=OwnTerms)
    """Terms of an own task."""

    def __post_init__(self) -> None:
        """Refuse what no environment can be made of."""
        if min(self.num_envs, self.threads, self.decimation) < 1 or not 0 < self.dt <= self.episode_seconds:
            raise ValueError("An environment needs at least one robot, one thread, one physics and one policy step.")
        if not 0 <= self.seed < LARGEST_SEED:
            raise ValueError(f"A seed is a number from 0 to {LARGEST_SEED - 1}, not {self.seed}.")
        if not 0 <= self.terrain.border < self.terrain.tile_size / 2:
            raise ValueError("--env.terrain.border must be at least 0, and less than half the tile's size.")
        if not 0 <= self.caution_probability <= 1:
            raise ValueError(f"--env.caution-probability must be from 0 to 1, not {self.caution_probability}.")
        if self.linear_variance <= 0:
            raise ValueError("--env.linear-variance must be above 0: it is a squared velocity in (m/s)^2.")
        self.solver.require_step(self.dt / self.decimation)

    @property
    def dt(self) -> float:
        """s, one policy step."""
        return self.gait.dt


RENAMED = {
    **{f"{name}_share": f"{name}_probability" for name in ("slippery", "weak", "wrench", "heading", "stand", "turn")},
    "straight_share": "straight_probability",
    "missing_share": "missing_fraction",
    "progress_share": "progress_fraction",
    "shares": "condition_probabilities",
    "share": "probability",
    **{f"{name}_samples": f"{name}_steps" for name in ("update", "flat", "start", "full")},
    "episode_samples": "iteration_steps",
}
"""Settings that records of any age hold under another name -> their name."""


def as_recorded(env: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a policy's record; what it does not name was PD drives, spheres, no caution, no reward."""
    env = {**renamed(env), **({"own": env["own"]} if "own" in env else {})}
    rewards = dict.fromkeys(RewardWeights.__dataclass_fields__, 0.0) | env.get("rewards", {})
    return {"drive": asdict(PD), "shapes": "spheres", "caution_probability": 0.0, **env, "rewards": rewards}


def renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a record of any age, nested dictionaries, by the names that they have today."""
    return {
        RENAMED.get(key, key): renamed(each) if isinstance(each, Mapping) else each for key, each in settings.items()
    }
