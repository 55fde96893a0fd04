"""What the stages of training begin with: the environment of each, and where the one before has led."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents import distributed
from agents.config import Preset, RefinementConfig, restore
from envs.config import EnvConfig, as_recorded
from envs.curriculum import curriculum_factor
from envs.drives import require_network
from envs.latency import OF_REFINEMENT, OF_STUDENTS, at_least
from envs.tasks import split, task_config


def sized(env: EnvConfig, size: Preset, threads: int) -> EnvConfig:
    """A task's environment with the robots and schedules of a preset."""
    begin, full = size.noise_steps
    noise = replace(env.height_noise, start_steps=begin, full_steps=full)
    return replace(env, num_envs=size.num_envs, threads=threads, height_noise=noise)


def own_share(env: EnvConfig) -> EnvConfig:
    """This rank's part of the robots of all, with a seed of its own; ValueError if ranks cannot have equal parts."""
    ranks = distributed.size()
    if env.num_envs % ranks:
        raise ValueError(
            f"--num-envs {env.num_envs} cannot be shared out over {ranks} processes: give a multiple of {ranks}."
        )
    return replace(env, num_envs=env.num_envs // ranks, seed=distributed.own_seed(env.seed))


def recorded_env(record: dict[str, Any], task: str) -> EnvConfig:
    """Environment of a training's record, of all its ranks; settings that it lacks are the task's.

    An own task is what the record says: its file is not run for it, since a record may come from anywhere.
    """
    own_file, _ = split(task)
    base = task_config(task) if own_file is None else EnvConfig()
    env = restore(base, as_recorded(record["env"]))
    return replace(env, num_envs=env.num_envs * record.get("ranks", 1))


def require_drives_of(policy: dict[str, Any], env: EnvConfig) -> None:
    """Raise a ValueError if a training that starts from a policy names the same file of drives, but it has changed."""
    if as_recorded(policy["env"])["drive"].get("network") == env.drive.network:
        require_network(env.drive, policy.get("drive_network"), "the policy to start from")


def going_on(env: EnvConfig, teacher: dict[str, Any]) -> EnvConfig:
    """The environment with the c_k at which the training of this Teacher ended, for one that goes on from it."""
    trained = restore(env.curriculum, as_recorded(teacher["env"])["curriculum"])
    factor = curriculum_factor(teacher["samples"], trained)
    return replace(env, curriculum=replace(env.curriculum, initial_factor=factor))


def refined_env(env: EnvConfig, teacher: dict[str, Any], refinement: RefinementConfig) -> EnvConfig:
    """The environment in which a Teacher that walks goes on; its actions are late unless they have been before."""
    robots = env.num_envs * refinement.robots
    latency = at_least(env.latency, OF_REFINEMENT)
    return replace(going_on(env, teacher), num_envs=robots, linear_variance=refinement.linear_variance, latency=latency)


def student_env(env: EnvConfig, teacher: dict[str, Any], size: Preset) -> EnvConfig:
    """The Teacher's environment for its Student: easy ground first, and c_k goes on where the Teacher's ended.

    Delays are on; one that the Teacher has had stays as it was.
    """
    curriculum = replace(going_on(env, teacher).curriculum, flat_steps=size.flat_steps)
    latency = at_least(env.latency, OF_STUDENTS)
    return replace(env, noisy_groups=True, curriculum=curriculum, latency=latency)


def under_way(env: EnvConfig) -> EnvConfig:
    """The same for a Student that starts from another one, whose easy ground and perfect maps lie behind it."""
    noise, curriculum = replace(env.height_noise, factor=1.0), replace(env.curriculum, flat_steps=0)
    return replace(env, height_noise=noise, curriculum=curriculum)
