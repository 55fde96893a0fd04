"""Which tile each robot stands on: chosen by the curriculum in training, fixed in play and evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import pi
from typing import Any

import torch
from torch import Tensor

from envs.config import EnvConfig
from envs.curriculum import ParticleFilter, progress_label
from envs.ranks import ALONE, Ranks
from envs.state import State
from envs.terrains import TerrainMap, Tile, TrainingBank, build_map
from envs.terrains.bank import types_for

TRAJECTORY = ("cell", "progress", "commanded", "steps")
"""What the curriculum's placement remembers of the episodes under way."""


class Placement:
    """Robots on fixed tiles: robot i on tiles[i % len(tiles)]."""

    def __init__(self, cfg: EnvConfig, terrain: TerrainMap, generator: torch.Generator) -> None:
        """Robots on the tiles of `terrain`; the generator draws their headings."""
        self.cfg, self.map, self.generator = cfg, terrain, generator
        self.starts = torch.from_numpy(terrain.tile_start_w).float()
        self.low = torch.from_numpy(terrain.tile_corner_w).float() + cfg.terrain.border
        self.high = self.low + torch.from_numpy(terrain.tile_size).float() - 2 * cfg.terrain.border
        self.headings = torch.tensor([float("nan") if tile.heading is None else tile.heading for tile in terrain.tiles])
        self.both_ways = torch.tensor([tile.both_ways for tile in terrain.tiles])
        self.paths = torch.tensor([math.inf if tile.path is None else tile.path for tile in terrain.tiles])
        self.tile = torch.arange(cfg.num_envs) % len(terrain.tiles)
        self.cautious = torch.zeros(cfg.num_envs, dtype=torch.bool)

    def start(self, env_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Start points in the world (m, 3) m and headings (m,) rad for new episodes of these robots."""
        self._choose(env_ids)
        anywhere = (2 * torch.rand(len(env_ids), generator=self.generator) - 1) * pi
        tile = self.tile[env_ids]
        back = self.both_ways[tile] & (anywhere < 0)
        fixed = self.headings[tile] + pi * back
        return self.starts[tile], torch.where(fixed.isnan(), anywhere, fixed)

    def path_width(self, env_ids: Tensor) -> Tensor:
        """m, width of the path along these robots' start headings that has walls or drops beside it; inf for none."""
        return self.paths[self.tile[env_ids]]

    def left(self, base_position_w: Tensor) -> Tensor:
        """Robots that have crossed the border of their tile, (n,) bool."""
        position = base_position_w[:, :2]
        return ((position < self.low[self.tile]) | (position > self.high[self.tile])).any(-1)

    def _choose(self, env_ids: Tensor) -> None:
        """Pick the tiles of these robots' next episodes: here, the same again."""

    def observe(self, s: State) -> None:
        """Take note of one step of all robots."""

    def finish(self, env_ids: Tensor, fell: Tensor, fair: Tensor | bool = True) -> None:
        """Take note that episodes of these robots ended, by a fall or not; whether they count for the curriculum."""

    def advance(self, samples: int) -> None:
        """Let time pass, in environment steps of all ranks."""

    def metrics(self) -> dict[str, float]:
        """What to log about the terrain."""
        return {}

    def export_state(self) -> dict[str, Tensor]:
        """State of the curriculum for another training: without one, nothing."""
        return {}

    def import_state(self, exported: dict[str, Tensor]) -> bool:
        """Start from what the curriculum of another training `exported`; whether that fits."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs."""
        return {"tile": self.tile.clone(), "cautious": self.cautious.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.tile = state["tile"].clone()
        self.cautious = state.get("cautious", torch.zeros_like(self.cautious)).clone()


class CurriculumPlacement(Placement):
    """Robots on the tiles that the particle filter finds worth training on; each stays on its type.

    In some episodes, drawn for each, a Teacher shall walk with caution.
    """

    def __init__(self, cfg: EnvConfig, bank: TrainingBank, generator: torch.Generator, ranks: Ranks) -> None:
        """A particle filter over the types of the bank."""
        super().__init__(cfg, bank.map, generator)
        self.bank = bank
        names, shapes = [kind.name for kind in bank.types], [kind.shape for kind in bank.types]
        self.filter = ParticleFilter(names, shapes, cfg.curriculum, generator, ranks)
        self.type = torch.from_numpy(bank.types_of(cfg.num_envs))
        self.cell = torch.zeros(cfg.num_envs, dtype=torch.long)
        self.progress, self.commanded = torch.zeros(cfg.num_envs), torch.zeros(cfg.num_envs)
        self.steps = torch.zeros(cfg.num_envs)
        self.samples_to_update = cfg.curriculum.update_steps
        self.flat_samples = cfg.curriculum.flat_steps
        self.caution = 0.0 if cfg.noisy_groups else cfg.caution_probability

    def _choose(self, env_ids: Tensor) -> None:
        cells, self.cell[env_ids] = self.filter.draw(self.type[env_ids], self.generator)
        if self.flat_samples > 0:
            cells, self.cell[env_ids] = torch.zeros_like(cells), 0
        if self.caution > 0:
            self.cautious[env_ids] = torch.rand(len(env_ids), generator=self.generator) < self.caution
        self.tile[env_ids] = torch.from_numpy(self.bank.tile_index(self.type[env_ids].numpy(), cells.numpy()))

    def observe(self, s: State) -> None:
        """Add this step's speed along the command, which stays meaningful while the robot turns."""
        command, velocity = s.command[:, :2], s.linear_velocity_yaw[:, :2]
        speed = command.norm(dim=-1)
        self.progress += (command * velocity).sum(-1) / speed.clamp(min=1e-6)
        self.commanded += speed
        self.steps += 1

    def finish(self, env_ids: Tensor, fell: Tensor, fair: Tensor | bool = True) -> None:
        """Count the trajectories that say something about the ground: the fair ones with enough of a command."""
        steps = self.steps[env_ids].clamp(min=1)
        label, usable = progress_label(
            self.progress[env_ids] / steps, self.commanded[env_ids] / steps, fell, self.cfg.curriculum
        )
        usable = usable & fair
        self.filter.record(self.type[env_ids][usable], self.cell[env_ids][usable], label[usable])
        self.progress[env_ids], self.commanded[env_ids], self.steps[env_ids] = 0.0, 0.0, 0.0

    def advance(self, samples: int) -> None:
        """Update the filter when it is due; it waits while everybody is on the easiest ground."""
        if self.flat_samples > 0:
            self.flat_samples -= samples
            return
        self.samples_to_update -= samples
        if self.samples_to_update <= 0:
            self.filter.update(self.generator)
            self.samples_to_update += self.cfg.curriculum.update_steps

    def metrics(self) -> dict[str, float]:
        """Difficulty and traversability per terrain type."""
        return self.filter.metrics()

    def export_state(self) -> dict[str, Tensor]:
        """Particles and counts of the filter."""
        return self.filter.export_state()

    def import_state(self, exported: dict[str, Tensor]) -> bool:
        """Start from another filter's, as far as it is of the same types and levels."""
        try:
            self.filter.import_state(exported)
        except ValueError:
            return False
        for running in (self.progress, self.commanded, self.steps):
            running.zero_()
        return True

    def state_dict(self) -> dict[str, Any]:
        """Tiles, running trajectories and the filter."""
        tensors = {name: getattr(self, name).clone() for name in TRAJECTORY}
        counters = {name: getattr(self, name) for name in ("samples_to_update", "flat_samples")}
        return {**super().state_dict(), **tensors, **counters, "filter": self.filter.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict(state)
        for name in TRAJECTORY:
            setattr(self, name, state[name].clone())
        self.samples_to_update, self.flat_samples = state["samples_to_update"], state.get("flat_samples", 0)
        self.filter.load_state_dict(state["filter"])


def make_placement(
    cfg: EnvConfig, tiles: Sequence[Tile] | None, generator: torch.Generator, ranks: Ranks = ALONE
) -> Placement:
    """On the given tiles, or, without any, on the training bank under the curriculum."""
    if tiles is not None:
        return Placement(cfg, build_map(tiles), generator)
    bank = TrainingBank(cfg.terrain.types or types_for(cfg.collider), cfg.terrain.tile_size, cfg.terrain.seed)
    return CurriculumPlacement(cfg, bank, generator, ranks)
