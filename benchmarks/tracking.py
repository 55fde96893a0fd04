"""Mean linear tracking score of a policy, without exploration, on fixed ground that all versions of the project know.

`PYTHONPATH=. python -P benchmarks/tracking.py POLICY` prints it, from 0 to 1. It keeps to what every version has, since
benchmarks.learning runs it in the directory of each. Start poses, friction, pushes and c_k are those with which that
version's training begins.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import torch
from torch import Tensor

from agents.checkpoint import load_policy
from envs.anymal import AnymalEnv
from envs.frames import rotate, rotate_inverse, yaw_quaternion
from envs.tasks import TASKS
from envs.terrains import Tile, make_tile

DIFFICULTY = 0.2
"""Of all ground: the mean of the levels over which the curriculum spreads the robots at first."""
FAMILIES = ("flat", "rough", "rough_discrete", "large_step", "grid_steps", "boxes", "step_stair")
DIRECTED = ("stairs_standard", "stairs_random")
SLOPES = ("slope_up", "slope_down")
COMMANDS = {"forward": (0.8, 0.8), "lateral": (0.4, 0.4), "yaw_rate": (0.5, 0.5)}
"""Largest m/s, m/s, rad/s. Training begins with 0.7, 0.3, 0.4 here, with 0.95, 0.67, 1.34 in the first version."""
ROBOTS, STEPS = 260, 300
SEED = 1000
"""No training's."""
NEVER = 10**12
"""Environment steps after which c_k would have grown."""


def ground() -> list[Tile]:
    """A tile of each terrain type of the first version's curriculum, which are all in later ones."""
    plain = [make_tile(name, DIFFICULTY) for name in (*FAMILIES, *SLOPES)]
    return plain + [make_tile(name, DIFFICULTY, direction=way) for name in DIRECTED for way in (1.0, -1.0)]


def scores(quaternion: Tensor, velocity_b: Tensor, command: Tensor) -> Tensor:
    """exp(-|v_des - v|^2 / 0.25) of horizontal velocities in the yaw frame, (n,), whatever a version rewards."""
    ahead = rotate(quaternion, torch.tensor([1.0, 0.0, 0.0]).expand(len(quaternion), 3))
    heading = yaw_quaternion(torch.atan2(ahead[:, 1], ahead[:, 0]))
    velocity = rotate_inverse(heading, rotate(quaternion, velocity_b))
    return torch.exp(-(command[:, :2] - velocity[:, :2]).square().sum(-1) / 0.25)


def main(path: str) -> None:
    """Let the policy walk for 6 s, and print the score."""
    task = TASKS["anymal_rough"]
    commands = replace(task.commands, **COMMANDS)
    if hasattr(commands, "straight_probability"):  # later than the first version
        commands = replace(commands, straight_probability=0.0)
    pace = "iteration_steps" if hasattr(task.curriculum, "iteration_steps") else "episode_samples"
    curriculum = replace(task.curriculum, **{pace: NEVER})
    cfg = replace(task, num_envs=ROBOTS, threads=2, seed=SEED, curriculum=curriculum, commands=commands)
    env, policy, found = AnymalEnv(cfg, ground()), load_policy(path), []
    policy.reset(torch.ones(ROBOTS, dtype=torch.bool))
    obs = env.get_observations()
    for _ in range(STEPS):
        command = env.state.command
        obs, _, done, _ = env.step(policy.act(obs))
        policy.reset(done)
        found.append(scores(env.state.base_quaternion, env.state.linear_velocity_b, command)[~done])
    print(float(torch.cat(found).mean()))


if __name__ == "__main__":
    main(sys.argv[1])
