"""The world: simulation, robot, terrain, observations, rewards, terminations, commands, randomisation, curriculum."""

from system.early import at_once_if_a_module_starts

at_once_if_a_module_starts()

from envs.registration import register_envs

register_envs()
