"""What a robot's engineer may follow line by line."""

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()
