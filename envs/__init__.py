"""The world: simulation, robot, terrain, observations, rewards, terminations, commands, randomisation, curriculum."""

from envs.registration import register_envs

register_envs()
