"""Scripts that make what the project ships, and try how it holds: run them with `python -m tools.NAME`."""

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()
