"""Terrain: families of tiles (Miki et al. S4), the bank that training chooses from, and the surface they form."""

from envs.terrains.bank import TRAINING_TYPES, TerrainType, TrainingBank, own_terrain
from envs.terrains.grid import RESOLUTION
from envs.terrains.map import TerrainMap, build_map
from envs.terrains.surface import Surface
from envs.terrains.table import FAMILIES, Family, Parameter, parameters
from envs.terrains.tile import Tile, make_tile
from envs.terrains.user import load_heightmap

__all__ = [
    "FAMILIES",
    "RESOLUTION",
    "TRAINING_TYPES",
    "Family",
    "Parameter",
    "Surface",
    "TerrainMap",
    "TerrainType",
    "Tile",
    "TrainingBank",
    "build_map",
    "load_heightmap",
    "make_tile",
    "own_terrain",
    "parameters",
]
