"""One script for each claim about speed, and what they share: report, side_by_side, walking and tracking."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in train.py
