"""Training around the policies: rsl_rl adapters, PPO, runner, checkpoints. Knows tensors, not the simulator."""

import os

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # rsl_rl imports GitPython, which fails without a git executable
