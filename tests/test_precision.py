"""Precision follows the CPU's flags."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from agents import precision
from agents.precision import cpu_flags, resolve_precision

XEON = "model name\t: avx512_bf16 lookalike\nflags\t\t: fpu sse2 avx512_bf16 amx_tile\nbugs\t\t: amx_bf16\n"


def test_flags_are_read_from_the_flags_line_alone() -> None:
    assert cpu_flags(XEON) == {"fpu", "sse2", "avx512_bf16", "amx_tile"}


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2", "fp32"),
        ("fpu avx512f avx512_bf16", "bf16"),
        ("amx_bf16", "bf16"),
        ("avx512_vbmi2 avx_bf16x", "fp32"),
    ],
)
def test_auto_is_bf16_exactly_on_cpus_with_bf16_units(
    flags: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(precision, "CPUINFO", cpuinfo)
    assert resolve_precision("auto") == expected


@pytest.mark.parametrize(("generation", "expected"), [(7, "fp32"), (8, "bf16")])
def test_auto_is_bf16_on_gpus_that_have_it_and_not_on_those_that_emulate_it(
    generation: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compute capability 8.0, Ampere, is the first with bf16 units; torch lets older ones convert each number."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=generation))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert resolve_precision("auto", "cuda:0") == expected


def test_auto_works_without_cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "CPUINFO", tmp_path / "missing")
    assert resolve_precision("auto") in ("bf16", "fp32")


def test_explicit_precision_is_kept() -> None:
    assert resolve_precision("bf16") == "bf16"
    assert resolve_precision("fp32") == "fp32"
