"""The robot of a URDF file in plain MuJoCo, driven through the exported policy and its runner alone."""
