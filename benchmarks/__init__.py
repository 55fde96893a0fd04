"""One script for each claim about speed."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in train.py
