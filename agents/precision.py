"""Arithmetic of the update: bfloat16 where the CPU multiplies it in hardware, float32 elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from agents.choices import Precision

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
CPUINFO = Path("/proc/cpuinfo")


def cpu_flags(cpuinfo: str) -> set[str]:
    """Instruction-set flags named in the text of /proc/cpuinfo (x86 `flags` lines)."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return {flag for key, _, value in lines if key.strip() == "flags" for flag in value.split()}


def has_bf16_units(device: str = "cpu") -> bool:
    """Whether a device multiplies in bfloat16 itself: by its flags or kind, never by timing: runs stay reproducible."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        return bool(BF16_FLAGS & cpu_flags(CPUINFO.read_text()))
    except OSError:
        return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", bool)())


def resolve_precision(precision: Precision, device: str = "cpu") -> Literal["bf16", "fp32"]:
    """The precision that a run on `device` uses, and its checkpoints record."""
    if precision == "auto":
        return "bf16" if has_bf16_units(device) else "fp32"
    return precision


# torch exports autocast without declaring it
def bf16(device: str, enabled: bool) -> torch.amp.autocast:  # type: ignore
    """Within it, networks on `device` compute in bf16, if `enabled`."""
    return torch.amp.autocast(torch.device(device).type, enabled=enabled, dtype=torch.bfloat16)  # type: ignore
