"""Mean linear tracking score of a policy, without exploration, on the ground and at the c_k with which training begins.

`python benchmarks/tracking.py POLICY` prints it. It keeps to what every version has, since benchmarks.learning runs it
in the directory of each: the score is that version's own (`tracking/linear`), from 0 to 1.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import torch

from agents.checkpoint import load_policy
from envs.anymal import AnymalEnv
from envs.tasks import TASKS

ROBOTS, STEPS = 256, 300
SEED = 1000
"""No training's."""
NEVER = 10**12
"""Samples after which the curriculum would choose other ground."""
COMMANDS = {"forward": (0.8, 0.8), "lateral": (0.4, 0.4), "yaw_rate": (0.5, 0.5), "straight_share": 0.0}
"""The same for all versions: ranges between those with which the first and this one begin, drawn as the first does."""


def main(path: str) -> None:
    """Let the policy walk for 6 s, and print the score."""
    task = TASKS["anymal_rough"]
    ground = replace(task.curriculum, update_samples=NEVER, episode_samples=NEVER)
    commands = replace(task.commands, **{name: COMMANDS[name] for name in COMMANDS if hasattr(task.commands, name)})
    env = AnymalEnv(replace(task, num_envs=ROBOTS, threads=2, seed=SEED, curriculum=ground, commands=commands))
    policy, obs = load_policy(path), env.get_observations()
    policy.reset(torch.ones(ROBOTS, dtype=torch.bool))
    for _ in range(STEPS):
        obs, _, done, _ = env.step(policy.act(obs))
        policy.reset(done)
    print(env.metrics()["tracking/linear"])


if __name__ == "__main__":
    main(sys.argv[1])
