"""Training around the policies: rsl_rl adapters, PPO, runner, checkpoints. Knows tensors, not the simulator."""

import os

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # rsl_rl imports GitPython, which fails without a git executable
