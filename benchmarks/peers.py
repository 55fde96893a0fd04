"""`env.step` of anymal_rough against EnvPool's Go1JoystickRoughTerrain-v1 on the same cores, taking turns.

`python -m benchmarks.peers [--json FILE]` prints control steps of 20 ms per second, in which EnvPool takes 5 steps of
physics and we take 4. EnvPool is C++; its robot is blind, and only its feet collide. Ours walk where the curriculum of
the pretrained Teacher had led. EnvPool is installed into an environment of its own (`.venv-peers`) at the first run.
"""

from __future__ import annotations

import subprocess
import sys
import time
import venv
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from agents.checkpoint import read_policy
from benchmarks.report import medians, ratio, report, run, take_turns
from benchmarks.walking import walk
from envs.anymal import AnymalEnv
from envs.tasks import TASKS
from evaluation.agents import load_agent

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-peers"
TEACHER = ROOT / "pretrained" / "teacher.pt"
REQUIREMENT = "envpool==1.2.5"
PEER = """
import sys, time, numpy, envpool
num_envs, threads, steps = map(int, sys.argv[1:])
env = envpool.make_gymnasium("Go1JoystickRoughTerrain-v1", num_envs=num_envs, num_threads=threads)
env.reset()
actions = 0.3 * numpy.random.default_rng(0).standard_normal((50, num_envs, 12)).clip(-3, 3)
for _ in sys.stdin:
    begin = time.perf_counter()
    for step in range(steps):
        env.step(actions[step % 50])
    print(num_envs * steps / (time.perf_counter() - begin), flush=True)
"""
"""Steps its environments each time it is told to, and prints their steps per s."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    num_envs: int = 512
    """Our robots side by side."""
    peer_envs: int = 32
    """EnvPool's robots side by side; it takes 24 GB for 512."""
    threads: int = 2
    """Threads of each side."""
    rounds: int = 8
    """Rounds in which both take turns."""
    steps: int = 40
    """Our control steps in a round; EnvPool takes as many."""
    walk: int = 100
    """Our control steps before them."""
    json: Path | None = None
    """File to write the result to."""


class Peer:
    """EnvPool in a process of its own."""

    def __init__(self, arguments: Arguments) -> None:
        """Install it if need be, and start it."""
        python = ENVIRONMENT / "bin" / "python"
        if not python.exists():
            print(f"Installing {REQUIREMENT} into {ENVIRONMENT.name} ...")
            venv.create(ENVIRONMENT, with_pip=True)
        if subprocess.run([python, "-m", "pip", "install", "--quiet", REQUIREMENT], check=False).returncode:
            raise ValueError(f"{REQUIREMENT} could not be installed into {ENVIRONMENT.name}; pip says why above.")
        steps = arguments.steps * arguments.num_envs // arguments.peer_envs
        numbers = [str(number) for number in (arguments.peer_envs, arguments.threads, steps)]
        self.process = subprocess.Popen(
            [python, "-c", PEER, *numbers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self) -> float:
        """Control steps per s of one round."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print("go", file=self.process.stdin, flush=True)
        said = self.process.stdout.readline()
        if not said:
            raise ValueError("EnvPool ended early; it says why above.")
        return float(said)

    def close(self) -> None:
        """End its process."""
        self.process.communicate()


class Ours:
    """anymal_rough with actions that a policy takes."""

    def __init__(self, arguments: Arguments) -> None:
        """Record what the pretrained Teacher does, so that its network is not timed."""
        cfg = replace(TASKS["anymal_rough"], num_envs=arguments.num_envs, threads=arguments.threads)
        self.env, agent = AnymalEnv(cfg), load_agent(TEACHER)
        agent.start(arguments.num_envs, 0)
        self.env.load_curriculum_state_dict(read_policy(TEACHER)["curriculum"])
        walk(self.env, agent, arguments.walk)
        self.before = self.env.state_dict()
        self.actions = walk(self.env, agent, arguments.steps)

    def run(self) -> float:
        """Control steps per s of one round."""
        self.env.load_state_dict(self.before)
        begin = time.perf_counter()
        for action in self.actions:
            self.env.step(action)
        return len(self.actions) * self.env.num_envs / (time.perf_counter() - begin)


def main(arguments: Arguments) -> None:
    """Measure and report."""
    torch.set_num_threads(arguments.threads)
    peer = Peer(arguments)
    rates = take_turns({"anymal_rough": Ours(arguments).run, "EnvPool": peer.run}, arguments.rounds)
    peer.close()
    ratios = {"anymal_rough to EnvPool": ratio(rates, "anymal_rough", "EnvPool")}
    report("peers", ratios, medians(rates), arguments.json)


if __name__ == "__main__":
    sys.exit(run("peers", Arguments, main, __doc__))
