"""Protocols, statistics and tables behind evaluate.py."""

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()
