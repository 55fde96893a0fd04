"""Flags of trainings that take a second or two, and the file of an own task for them."""

SIZE = "--num-envs 4 --threads 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
TEACHER = ["--stage", "teacher", *SIZE.split()]
"""The first stage alone."""
STUDENT = "--student.num-steps-per-env 4 --student.gradient-length 2 --student.max-iterations 2"
REFINEMENT = "--refinement.max-iterations 2 --refinement.robots 2"
ALL_STAGES = f"--task anymal_flat {SIZE} --seed 7 --agent.max-iterations 2 {REFINEMENT} {STUDENT}".split()
"""From the first step to the Student, two iterations each."""
HOP = """
from envs import own
from envs.config import EnvConfig, TerrainConfig
from envs.own import OwnTerms

FLAT = TerrainConfig(types=("flat",), tile_size=4.0)

@own.reward
def hop(s):
    return s.foot_contact[:, 0] * 0 + 1

HOP = EnvConfig(terrain=FLAT, own=OwnTerms(rewards={"hop": 0.5}))
PLAIN = EnvConfig(terrain=FLAT, fall_penalty=2.0)

def made():
    return PLAIN
"""
"""Content of a task file."""
