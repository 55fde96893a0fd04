"""Training configuration: one dataclass per stage, its field docstrings are the help of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from agents.choices import Precision
from anymal_policy.student import StudentConfig

Config = TypeVar("Config")

TEACHER_GROUPS = ("proprio", "extero", "privileged")
"""Observation groups of the Teacher, in the order in which its networks take them."""
STUDENT_GROUPS = ("proprio_noisy", "extero_noisy")
"""Observation groups of the Student, in the order in which its network takes them."""
LEAST_LEARNING_RATE = 1e-5
"""With which a training goes on from a trained policy."""
PAPER_ITERATION = 250_000  # environment steps: 1000 robots x 250 steps (Miki, Tables S1 and S3)


def _require(valid: bool, name: str, rule: str, value: float) -> None:
    if not valid:
        raise ValueError(f"{name} must be {rule}, not {value}.")


@dataclass(frozen=True)
class TeacherConfig:
    """PPO for the Teacher (Miki, Table S1); defaults are sized for two CPU cores."""

    max_iterations: int = 800
    """Iterations of the stage, counted from its first start."""
    num_steps_per_env: int = 24
    """Policy steps per robot and iteration (20 ms each)."""
    num_learning_epochs: int = 3
    """Passes over the samples of one iteration (paper: 2)."""
    num_mini_batches: int = 5
    """Gradient steps per pass (paper: 30 of 8,300 samples)."""
    learning_rate: float = 8e-4
    """Largest step size of Adam (paper: 5e-4)."""
    lr_decay: float = 0.9999
    """Factor on the learning rate per 250,000 environment steps, the paper's iteration (paper: 0.9999)."""
    desired_kl: float = 0.015
    """KL divergence of an update that the learning rate is held to, within a factor of 1.5; inf keeps the schedule."""
    gamma: float = 0.99
    """Discount per policy step (paper: 0.996)."""
    lam: float = 0.95
    """Lambda of the generalised advantage estimate (paper: 0.95)."""
    clip: float = 0.2
    """Clip range of the probability ratio and of the value update (paper: 0.2)."""
    entropy: float = 0.004
    """Weight of the entropy bonus at the start (paper: 0.005)."""
    entropy_decay: float = 0.98
    """Factor on that weight per 250,000 environment steps (paper: 1, which raises the action noise without end)."""
    averaging: int = 8_000_000
    """Environment steps over which policy.pt averages the weights; 1 takes them as they are."""
    max_grad_norm: float = 1.0
    """Largest gradient norm, for actor and critic apart."""
    init_std: float = 0.7
    """Standard deviation of every action at the start, in action units; learned per action from there."""
    head_scale: float = 0.01
    """Factor on the actor's last layer at the start, so that the gait prior alone walks first."""
    normalizer_until: int = 10_000_000
    """Environment steps after which the observation normaliser freezes."""
    warm_up_steps: int = 48
    """Policy steps before the first update that only fill the normaliser."""
    symmetry: bool = False
    """Add the left-right mirror image of every sample to the update (about twice its time)."""
    precision: Precision = "auto"
    """Arithmetic of the update; auto is bf16 on CPUs with bf16 units, else fp32."""
    keep_every: int = 100
    """Iterations between policies kept as policy_<iteration>.pt beside policy.pt; 0 keeps none."""

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        for name in ("max_iterations", "num_steps_per_env", "num_learning_epochs", "num_mini_batches", "averaging"):
            _require(getattr(self, name) >= 1, f"agent.{name}", "at least 1", getattr(self, name))
        for name in ("learning_rate", "max_grad_norm", "init_std"):
            _require(0 < getattr(self, name) < float("inf"), f"agent.{name}", "positive", getattr(self, name))
        _require(self.desired_kl > 0, "agent.desired_kl", "positive", self.desired_kl)
        for name in ("gamma", "lam", "lr_decay", "entropy_decay"):
            _require(0 < getattr(self, name) <= 1, f"agent.{name}", "in (0, 1]", getattr(self, name))
        for name in ("entropy", "head_scale", "normalizer_until", "warm_up_steps", "keep_every"):
            _require(0 <= getattr(self, name) < float("inf"), f"agent.{name}", "at least 0", getattr(self, name))
        _require(0 < self.clip < 1, "agent.clip", "in (0, 1)", self.clip)


@dataclass(frozen=True)
class RefinementConfig:
    """What changes once a Teacher walks; progress on steep stairs needs it (docs/notebook.md)."""

    max_iterations: int = 1000
    """Iterations of this stage; 0 leaves it out."""
    robots: int = 4
    """Factor on the number of robots: larger batches hold a course that smaller ones lose."""
    linear_variance: float = 0.1
    """Takes the place of --env.linear-variance: narrower, so that a trained Teacher keeps its command."""
    desired_kl: float = 0.025
    """Takes the place of --agent.desired-kl: fewer updates for as many environment steps, so each goes farther."""
    entropy: float = 0.001
    """Takes the place of --agent.entropy."""

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        _require(self.max_iterations >= 0, "refinement.max_iterations", "at least 0", self.max_iterations)
        _require(self.robots >= 1, "refinement.robots", "at least 1", self.robots)
        for name in ("linear_variance", "desired_kl"):
            _require(getattr(self, name) > 0, f"refinement.{name}", "positive", getattr(self, name))
        _require(0 <= self.entropy < float("inf"), "refinement.entropy", "at least 0", self.entropy)

    def refined(self, cfg: TeacherConfig) -> TeacherConfig:
        """PPO for a Teacher that walks."""
        return replace(cfg, max_iterations=self.max_iterations, desired_kl=self.desired_kl, entropy=self.entropy)


@dataclass(frozen=True)
class StudentTrainingConfig:
    """Distillation of the Teacher into the Student (Miki, Table S2); defaults are sized for two CPU cores."""

    max_iterations: int = 500
    """Iterations of the distillation, counted from its first start."""
    num_steps_per_env: int = 50
    """Policy steps per robot and iteration (paper: 400, with 300 robots)."""
    gradient_length: int = 10
    """Steps through which gradients flow back in time (paper: 10)."""
    num_learning_epochs: int = 2
    """Passes over the samples of one iteration (paper: 2)."""
    num_mini_batches: int = 4
    """Groups of robots that take turns in each pass, with one gradient step per 10 of their steps."""
    learning_rate: float = 5e-4
    """Adam's step size at the start (paper: 5e-4)."""
    lr_decay: float = 0.98
    """Factor on the learning rate per 250,000 environment steps."""
    max_grad_norm: float = 1.0
    """Largest gradient norm."""
    reconstruction: float = 0.5
    """Weight of the reconstruction loss (paper: 0.5)."""
    uphill: float = 1.5
    """Exponent p: uphill the Teacher is asked for its forward command / cos(pitch)^p (decision 46)."""
    std: float = 0.05
    """Standard deviation of the noise on the Student's actions while it collects samples, in action units."""
    averaging: int = 4_000_000
    """Environment steps over which policy.pt averages the weights; 1 takes them as they are."""
    precision: Precision = "auto"
    """Arithmetic of the update; auto is bf16 on CPUs with bf16 units, else fp32."""
    keep_every: int = 100
    """Iterations between policies kept as policy_<iteration>.pt beside policy.pt; 0 keeps none."""
    network: StudentConfig = field(default_factory=StudentConfig)
    """The Student, or an ablation of it."""

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        counts = ("max_iterations", "num_steps_per_env", "gradient_length", "num_learning_epochs", "num_mini_batches")
        for name in (*counts, "averaging"):
            _require(getattr(self, name) >= 1, f"student.{name}", "at least 1", getattr(self, name))
        for name in ("learning_rate", "max_grad_norm"):
            _require(0 < getattr(self, name) < float("inf"), f"student.{name}", "positive", getattr(self, name))
        for name in ("reconstruction", "uphill", "std", "keep_every"):
            _require(0 <= getattr(self, name) < float("inf"), f"student.{name}", "at least 0", getattr(self, name))
        _require(0 < self.lr_decay <= 1, "student.lr_decay", "in (0, 1]", self.lr_decay)
        steps, length = self.num_steps_per_env, self.gradient_length
        _require(steps % length == 0, "student.num_steps_per_env", f"a multiple of gradient_length ({length})", steps)

    def require_robots(self, robots: int) -> None:
        """Raise a ValueError if the robots of a process are too few for its groups."""
        if robots < self.num_mini_batches:
            raise ValueError(
                f"{robots} robots a process are too few for the Student's {self.num_mini_batches} mini-batches: "
                "raise --num-envs or lower --student.num-mini-batches."
            )


@dataclass(frozen=True)
class Preset:
    """A size of training: how many robots, and how PPO and distillation use what they collect."""

    num_envs: int
    """Robots simulated at once."""
    agent: TeacherConfig = field(default_factory=TeacherConfig)
    """Training of the Teacher."""
    refinement: RefinementConfig = field(default_factory=RefinementConfig)
    """What changes once it walks."""
    student: StudentTrainingConfig = field(default_factory=StudentTrainingConfig)
    """Training of the Student."""
    flat_steps: int = 500_000
    """Environment steps for which the Student stays on the easiest ground (paper: 10 epochs of 300 x 400)."""
    noise_steps: tuple[int, int] = (1_000_000, 6_000_000)
    """Environment steps at which the Student's height noise begins and is complete (paper: epochs 20 and 100)."""


PRESETS: dict[str, Preset] = {
    "smoke": Preset(
        64,
        TeacherConfig(max_iterations=20, num_steps_per_env=24, warm_up_steps=24),
        RefinementConfig(max_iterations=5, robots=1),
        StudentTrainingConfig(max_iterations=20, num_steps_per_env=20),
        flat_steps=5_000,
        noise_steps=(10_000, 20_000),
    ),
    "laptop": Preset(1024),
    "full": Preset(
        1000,
        TeacherConfig(
            max_iterations=4000,
            num_steps_per_env=250,
            num_learning_epochs=2,
            num_mini_batches=30,
            learning_rate=5e-4,
            desired_kl=float("inf"),
            gamma=0.996,
            entropy=0.005,
            entropy_decay=1.0,
        ),
        RefinementConfig(max_iterations=0),
        StudentTrainingConfig(max_iterations=400, num_steps_per_env=120, num_mini_batches=4, lr_decay=0.99),
        flat_steps=1_200_000,
        noise_steps=(2_400_000, 12_000_000),
    ),
}


def restore(default: Config, values: Mapping[str, Any]) -> Config:
    """The configuration dataclass that a checkpoint recorded as nested dictionaries; fields it lacks keep `default`."""
    # Config is any dataclass, which its type variable cannot say
    known = {item.name: getattr(default, item.name) for item in fields(default)}  # type: ignore
    unknown = set(values) - set(known)
    if unknown:
        raise ValueError(f"The checkpoint has settings unknown to this version: {', '.join(sorted(unknown))}.")
    nested = {name: restore(known[name], value) for name, value in values.items() if is_dataclass(known[name])}
    return replace(default, **{**values, **nested})  # type: ignore


def differences(old: Any, new: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings in which two configurations of one class differ."""
    for item in fields(old):
        before, after, name = getattr(old, item.name), getattr(new, item.name), prefix + item.name
        if is_dataclass(before):
            yield from differences(before, after, f"{name}.")
        elif before != after:
            yield name
