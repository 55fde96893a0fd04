"""The tensors of a TorchScript file, read as data: none of the code that it carries is compiled or run."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORAGES = {"FloatStorage": np.float32, "DoubleStorage": np.float64}
"""torch's storages that may hold a network's numbers -> their type."""
MODULES = {"lstm": ".LSTM", "linear": ".Linear"}
"""Parts of an actuator network and how the names of their classes in torch.nn.modules end."""
SCALES = ("in_scale", "out_scale")
"""Factors of what a network sees and of what it gives."""
HARMLESS = {"permute", "transpose", "select", "squeeze", "unsqueeze", "slice", "reshape", "view", "size", "mul"}
"""What the network's own code may call besides its parts: views of arrays, and products with the scales."""


class Module:
    """A module of the file: its attributes, and the name of its class."""

    kind = ""


class Reader(pickle.Unpickler):
    """Reads modules and tensors; a ValueError for everything else."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        """The archive's data.pkl."""
        super().__init__(io.BytesIO(archive.read(f"{folder}/data.pkl")))
        self.archive, self.folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        """Stand-ins for the few classes that a scripted network is made of."""
        if module == "__torch__" or module.startswith("__torch__."):
            return type(name, (Module,), {"kind": f"{module}.{name}"})
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch.jit._pickle":
            return _plain
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise ValueError(f"it holds a {module}.{name}")

    def persistent_load(self, pid: Any) -> NDArray:
        """The numbers of a storage."""
        _, dtype, key, *_ = pid
        return np.frombuffer(self.archive.read(f"{self.folder}/data/{key}"), dtype)


def _plain(value: Any, *_: Any) -> Any:
    """A list or dictionary without what TorchScript notes of its type."""
    return value


def _tensor(storage: NDArray, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> NDArray:
    """The tensor of this shape and these strides in a storage."""
    last = offset + sum((extent - 1) * step for extent, step in zip(shape, stride, strict=True))
    if min((offset, *shape, *stride), default=0) < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides, writeable=False).copy()


def tensors_of(path: Path) -> dict[str, NDArray]:
    """The tensors of an actuator network in a TorchScript file by dotted name; a ValueError for another graph."""
    try:
        with zipfile.ZipFile(path) as archive:
            folder = next(name for name in archive.namelist() if name.endswith("/data.pkl")).split("/")[0]
            network = Reader(archive, folder).load()
            code = archive.read(f"{folder}/code/{network.kind.rpartition('.')[0].replace('.', '/')}.py").decode()
    except (zipfile.BadZipFile, StopIteration, pickle.UnpicklingError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} is no TorchScript file of an actuator network ({error or 'no data.pkl'}).") from error
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as an actuator network without running its code: {error}.") from error
    other = set(re.findall(r"torch\.(\w+)\(", code)) - HARMLESS
    parts = {name: part for name, part in vars(network).items() if isinstance(part, Module)}
    right = all(name in parts and parts[name].kind.endswith(end) for name, end in MODULES.items())
    if other or not right or len(parts) != len(MODULES) or not scaled_once(code):
        what = "does not scale its inputs by in_scale and its output by out_scale, once each and by nothing else"
        what = what if right and len(parts) == len(MODULES) else "is not made of one lstm and one linear"
        what = f"calls {', '.join(sorted(other))}" if other else what
        raise ValueError(f"{path} is another graph than LSTM and linear readout: it {what}. Choose another file.")
    named = {f"{name}.{key}": value for name, part in parts.items() for key, value in vars(part).items()}
    return {name: value for name, value in {**vars(network), **named}.items() if isinstance(value, np.ndarray)}


def scaled_once(code: str) -> bool:
    """Whether a network's own code has just two products, one with each scale, and calls each of its parts once."""
    factors = [operands(code[found.end() :]) for found in re.finditer(r"torch\.mul\(", code)]
    with_scale = [[scale for scale in SCALES if {scale, f"self.{scale}"} & set(each)] for each in factors]
    parts = re.findall(r"\.forward\w*\(", code)
    return sorted(with_scale) == [[scale] for scale in SCALES] and len(parts) == len(MODULES)


def operands(code: str) -> list[str]:
    """The arguments of a call whose parenthesis has just been opened."""
    found, depth = [""], 0
    for letter in code:
        depth += (letter in "([") - (letter in ")]")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [each.strip() for each in found]
