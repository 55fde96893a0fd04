"""What a training's command line can choose from; imports nothing, so that help need not wait."""

from __future__ import annotations

from typing import Literal

Precision = Literal["auto", "bf16", "fp32"]
"""Arithmetic of an update."""
Device = Literal["auto", "cpu", "cuda"]
"""Where the networks of a training live."""
LoggerName = Literal["tensorboard", "wandb"]
"""Where a training logs to."""
