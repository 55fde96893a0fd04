"""The tasks: a name, and the configuration it stands for; or a file of one's own, and a name in it."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from envs.config import EnvConfig, TerrainConfig
from envs.rewards import S7_LITERAL

DEFAULT = "anymal_rough"
"""Task that is meant where none is named."""
TASKS: dict[str, EnvConfig] = {
    "anymal_flat": EnvConfig(terrain=TerrainConfig(types=("flat",), tile_size=20.0)),
    DEFAULT: EnvConfig(),
    "anymal_rough_s7": EnvConfig(rewards=S7_LITERAL, caution_probability=0.0),
}
"""Task name -> configuration."""
ENDING = ".py"
FILES: dict[Path, ModuleType] = {}
"""Task files that this process has run."""


def task_config(name: str | None) -> EnvConfig:
    """Configuration of a built-in task, of FILE.py:NAME, or, unnamed, an environment's own defaults.

    A ValueError of one sentence for what is neither.
    """
    if name is None:
        return EnvConfig()
    if name in TASKS:
        return TASKS[name]
    file, attribute = split(name)
    if file is None:
        raise ValueError(
            f"There is no task '{name}'; choose one of {', '.join(TASKS)}, or name your own: FILE.py:NAME."
        )
    return config_in(run_file(file), file, attribute)


def split(task: str) -> tuple[Path | None, str]:
    """File and name of an own task; no file for a built-in one."""
    if task.endswith(ENDING):
        return Path(task), ""
    file, _, attribute = task.rpartition(":")
    return (Path(file), attribute) if file.endswith(ENDING) else (None, task)


def run_file(file: Path) -> ModuleType:
    """The module that a task file makes, run once in a process; what lies beside it can be imported."""
    path = file.resolve()
    if path in FILES:
        return FILES[path]
    if not path.is_file():
        raise ValueError(f"There is no task file {file}.")
    spec = importlib.util.spec_from_file_location(f"own_task_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever is wrong in a file that is not ours
        raise ValueError(f"{file} cannot be run: {reason(error, path)}.") from error
    FILES[path] = module
    return module


def reason(error: Exception, path: Path) -> str:
    """What went wrong in a file, with the line if it is one of the file's, on one line."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .")
    if isinstance(error, SyntaxError):
        return said
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f"{said} (line {lines[-1]})" if lines else said


def config_in(module: ModuleType, file: Path, name: str) -> EnvConfig:
    """The configuration of this name in a task file, or what a function of this name gives."""
    found = getattr(module, name, None) if name else None
    if found is None:
        there = ", ".join(key for key, value in vars(module).items() if isinstance(value, EnvConfig))
        wanted = f"{file} has no '{name}'" if name else f"{file} may hold several tasks"
        raise ValueError(f"{wanted}: name one of its configurations, {file}:NAME ({there or 'it has none'}).")
    if callable(found):
        try:
            found = found()
        except Exception as error:  # whatever is wrong in a function that is not ours
            raise ValueError(f"{file}:{name} cannot be called: {reason(error, file.resolve())}.") from error
    if not isinstance(found, EnvConfig):
        raise ValueError(f"{file}:{name} is no EnvConfig, nor a function that gives one.")
    return found
