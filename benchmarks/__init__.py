"""One script for each claim about speed, and what they share: report, side_by_side, walking and tracking."""

import os

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in train.py
