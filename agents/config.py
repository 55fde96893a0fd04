"""Training configuration: one dataclass per stage, its field docstrings are the help of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from agents.precision import Precision

Config = TypeVar("Config")

TEACHER_GROUPS = ("proprio", "extero", "privileged")
"""Observation groups of the Teacher, in the order in which its networks take them."""
PAPER_ITERATION = 250_000  # samples: 1000 robots x 250 steps (Miki, Tables S1 and S3)


def _require(valid: bool, name: str, rule: str, value: float) -> None:
    if not valid:
        raise ValueError(f"agent.{name} must be {rule}, not {value}.")


@dataclass(frozen=True)
class TeacherConfig:
    """PPO for the Teacher (Miki, Table S1); defaults are sized for two CPU cores."""

    max_iterations: int = 1500
    """Iterations of the whole run, counted from its first start."""
    num_steps_per_env: int = 48
    """Policy steps per robot and iteration (20 ms each)."""
    num_learning_epochs: int = 4
    """Passes over the samples of one iteration (paper: 2)."""
    num_mini_batches: int = 4
    """Gradient steps per pass (paper: 30 of 8,300 samples)."""
    learning_rate: float = 5e-4
    """Adam's step size at the start (paper: 5e-4)."""
    lr_decay: float = 0.9999
    """Factor on the learning rate per 250,000 samples, the paper's iteration (paper: 0.9999)."""
    gamma: float = 0.99
    """Discount per policy step (paper: 0.996)."""
    lam: float = 0.95
    """Lambda of the generalised advantage estimate (paper: 0.95)."""
    clip: float = 0.2
    """Clip range of the probability ratio and of the value update (paper: 0.2)."""
    entropy: float = 0.001
    """Weight of the entropy bonus (paper: 0.005, which here raises the action noise without end: decision 23)."""
    max_grad_norm: float = 1.0
    """Largest gradient norm, for actor and critic apart."""
    init_std: float = 0.7
    """Standard deviation of every action at the start, in action units; learned per action from there."""
    head_scale: float = 0.01
    """Factor on the actor's last layer at the start, so that the gait prior alone walks first."""
    normalizer_until: int = 10_000_000
    """Samples after which the observation normaliser freezes."""
    warm_up_steps: int = 48
    """Policy steps before the first update that only fill the normaliser."""
    symmetry: bool = False
    """Add the left-right mirror image of every sample to the update (about twice its time)."""
    precision: Precision = "auto"
    """Arithmetic of the update; auto is bf16 on CPUs with bf16 units, else fp32."""
    keep_every: int = 250
    """Iterations between policies kept as policy_<iteration>.pt beside policy.pt; 0 keeps none."""

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        for name in ("max_iterations", "num_steps_per_env", "num_learning_epochs", "num_mini_batches"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "max_grad_norm", "init_std"):
            _require(0 < getattr(self, name) < float("inf"), name, "positive", getattr(self, name))
        for name in ("gamma", "lam", "lr_decay"):
            _require(0 < getattr(self, name) <= 1, name, "in (0, 1]", getattr(self, name))
        for name in ("entropy", "head_scale", "normalizer_until", "warm_up_steps", "keep_every"):
            _require(0 <= getattr(self, name) < float("inf"), name, "at least 0", getattr(self, name))
        _require(0 < self.clip < 1, "clip", "in (0, 1)", self.clip)


@dataclass(frozen=True)
class Preset:
    """A size of training: how many robots, and how PPO uses their samples."""

    num_envs: int
    """Robots simulated at once."""
    agent: TeacherConfig = field(default_factory=TeacherConfig)
    """Training configuration."""


PRESETS: dict[str, Preset] = {
    "smoke": Preset(64, TeacherConfig(max_iterations=20, num_steps_per_env=24, warm_up_steps=24)),
    "laptop": Preset(512),
    "full": Preset(
        1000,
        TeacherConfig(
            max_iterations=4000,
            num_steps_per_env=250,
            num_learning_epochs=2,
            num_mini_batches=30,
            gamma=0.996,
            entropy=0.005,
        ),
    ),
}


def rsl_rl_config(cfg: TeacherConfig, precision: str) -> dict:
    """The nested dictionary that rsl_rl's OnPolicyRunner reads; classes by import path, nothing is registered."""
    groups = list(TEACHER_GROUPS)
    network = dict(normalizer_until=cfg.normalizer_until)
    gaussian = dict(class_name="GaussianDistribution", init_std=cfg.init_std, std_type="log")
    mirror = dict(data_augmentation_func="agents.symmetry:augment", use_data_augmentation=True)
    return dict(
        num_steps_per_env=cfg.num_steps_per_env,
        obs_groups=dict(actor=groups, critic=groups),
        actor=dict(
            class_name="agents.models:TeacherModel", distribution_cfg=gaussian, head_scale=cfg.head_scale, **network
        ),
        critic=dict(class_name="agents.models:TeacherModel", **network),
        algorithm=dict(
            class_name="agents.ppo:TeacherPPO",
            num_learning_epochs=cfg.num_learning_epochs,
            num_mini_batches=cfg.num_mini_batches,
            learning_rate=cfg.learning_rate,
            lr_decay=cfg.lr_decay,
            schedule="fixed",
            gamma=cfg.gamma,
            lam=cfg.lam,
            clip_param=cfg.clip,
            entropy_coef=cfg.entropy,
            max_grad_norm=cfg.max_grad_norm,
            use_mixed_precision=precision == "bf16",
            symmetry_cfg=mirror if cfg.symmetry else None,
        ),
        check_for_nan=True,
        torch_compile_mode=None,
    )


def restore(default: Config, values: Mapping[str, Any]) -> Config:
    """The configuration dataclass that a checkpoint recorded as nested dictionaries; fields it lacks keep `default`."""
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
