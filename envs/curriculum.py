"""Curriculum: Lee et al.'s particle filter on terrain parameters, and Miki et al.'s factor c_k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from scipy.special import betainc
from torch import Generator, Tensor

from envs.evidence import cells_of, harder, pooled_successes, strides_of
from envs.ranks import ALONE, Ranks

SMALLEST_WEIGHT = 0.05
"""Of a particle: else, where all cells are too hard, the one with least evidence takes over (decision 19)."""


@dataclass(frozen=True)
class CurriculumConfig:
    """When the terrain gets harder, and how fast randomisation and regularising rewards reach full strength."""

    particles: int = 10
    """Particles per terrain type (Lee et al. Table S3)."""
    update_steps: int = 400_000
    """Environment steps (one policy step of one robot each) between two updates of the filter."""
    band_low: float = 0.5
    """Lowest traversability that is worth training on (Lee et al. S2)."""
    band_high: float = 0.9
    """Highest traversability that is worth training on (Lee et al. S2)."""
    replay_probability: float = 0.05
    """Probability that a resampled particle is replaced by a cell the filter has held before (Lee et al. Table S3)."""
    transition_probability: float = 0.4
    """Probability, per parameter, that a particle moves to an adjacent level (Lee et al.: 0.8; decision 19)."""
    memory: float = 0.85
    """Fraction of a cell's counted trajectories that is kept at an update; 0 forgets them all."""
    kinship: float = 0.5
    """Weight of a success on harder ground, against one on the cell itself; 0 forgets that who crosses the harder
    crosses the easier, too (decision 61)."""
    initial_fraction: float = 0.4
    """Fraction of each parameter's levels, from the easiest, over which the particles start."""
    flat_steps: int = 0
    """Environment steps at the start for which all robots stay on their type's easiest cell (Miki et al. S3)."""
    progress_fraction: float = 4 / 7
    """Fraction of the mean commanded speed that a trajectory must make along its command to count as traversed: that of
    an evaluation, 4 m in 10 s at 0.7 m/s (decision 62)."""
    progress_speed: float = 0.2
    """m/s along the command that it must make at least (Lee et al. S2)."""
    enough_speed: float = 0.4
    """m/s along the command that suffice, whatever was commanded."""
    usable_command: float = 0.4
    """Mean commanded speed from which a trajectory says something about the terrain, m/s."""
    initial_factor: float = 0.3
    """Factor c_0 on randomisation and regularising rewards at the start of training (Hwangbo et al. 2019)."""
    factor_exponent: float = 0.98
    """Exponent d of c_{k+1} = c_k^d (Miki et al.)."""
    iteration_steps: int = 250_000
    """Environment steps per k: one iteration of the paper, 1000 robots x 250 steps."""

    def __post_init__(self) -> None:
        """Refuse what no curriculum can be made of."""
        if min(self.particles, self.update_steps, self.iteration_steps) < 1:
            raise ValueError("A curriculum needs at least one particle, and one environment step per update and per k.")
        if not 0 <= self.band_low < self.band_high <= 1:
            raise ValueError("Traversability worth training on is 0 to 1, --env.curriculum.band-low below band-high.")
        fractions = (
            *(self.replay_probability, self.transition_probability, self.memory, self.kinship),
            *(self.initial_fraction, self.initial_factor, self.factor_exponent),
        )
        if min(fractions) < 0 or max(fractions) > 1:
            raise ValueError("Probabilities, fractions, memory, kinship and factors of --env.curriculum are 0 to 1.")


def curriculum_factor(steps: float, cfg: CurriculumConfig) -> float:
    """Factor c_k in (0, 1] after so many environment steps: c_0^(d^k), k continuous (Miki et al.)."""
    return cfg.initial_factor ** (cfg.factor_exponent ** (steps / cfg.iteration_steps))


def progress_label(
    progress_velocity: Tensor, commanded_speed: Tensor, fell: Tensor, cfg: CurriculumConfig
) -> tuple[Tensor, Tensor]:
    """Traversal label and its usability, (m,) bool each, from trajectory means in m/s (Lee et al. S2, decision 62)."""
    needed = (cfg.progress_fraction * commanded_speed).clamp(cfg.progress_speed, cfg.enough_speed)
    return (progress_velocity > needed) & ~fell, commanded_speed >= cfg.usable_command


class ParticleFilter:
    """Terrain cells per type that follow the learner: those it crosses in 50 to 90 % of its attempts (Lee et al. S2).

    A cell is one combination of discretised terrain parameters, its levels ordered from easy to hard on every axis.
    Outcomes are counted per cell, so that a trajectory that ends after an update still speaks for the ground it was on.
    All ranks hold the same particles; each counts its own trajectories, and carries an equal share of the faded counts.
    """

    def __init__(
        self,
        names: Sequence[str],
        shapes: Sequence[Sequence[int]],
        cfg: CurriculumConfig,
        generator: Generator,
        ranks: Ranks = ALONE,
    ) -> None:
        """Start from easy cells; `shapes` are the level counts per parameter of each type in `names`."""
        if len(names) != len(shapes) or not names or any(count < 1 for shape in shapes for count in shape):
            raise ValueError("Give the curriculum a shape with at least one level per parameter for each terrain type.")
        self.names, self.cfg, self.ranks = tuple(names), cfg, ranks
        num_axes = max(len(shape) for shape in shapes)
        self._levels = torch.tensor([[*shape, *[1] * (num_axes - len(shape))] for shape in shapes])  # (types, axes)
        self._strides = strides_of(self._levels)
        self._harder = harder(self._levels)
        num_cells = self._harder.shape[1]

        first_levels = (self._levels * cfg.initial_fraction).floor().clamp(min=1)
        uniform = torch.rand(len(shapes), cfg.particles, num_axes, generator=generator)
        cells = (uniform * rearrange(first_levels, "t a -> t 1 a")).long()
        self.cells = ranks.first(cells)  # (types, particles, axes)
        self._successes = torch.zeros(len(shapes), num_cells)
        self._failures = torch.zeros(len(shapes), num_cells)
        self._visited = torch.zeros(len(shapes), num_cells, dtype=torch.bool)  # the replay memory
        self._remember()

    def draw(self, type_ids: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Cells (m, axes) of uniformly chosen particles of the given types (m,), and the cells' numbers (m,)."""
        particle = torch.randint(self.cfg.particles, type_ids.shape, generator=generator)
        cell = self.cells[type_ids, particle]
        return cell, (cell * self._strides[type_ids]).sum(dim=-1)

    def record(self, type_ids: Tensor, cell_numbers: Tensor, labels: Tensor) -> None:
        """Count finished trajectories, (m,) each, with a usable command: label 1 crossed its cell, 0 did not."""
        crossed = labels.to(self._successes.dtype)
        self._successes.index_put_((type_ids, cell_numbers), crossed, accumulate=True)
        self._failures.index_put_((type_ids, cell_numbers), 1 - crossed, accumulate=True)

    def desirability(self) -> Tensor:
        """Pr(traversability in the band), (types, particles), under Beta(1 + successes, 1 + failures) of its cell.

        Successes on harder cells count along (`envs.evidence.pooled_successes`).
        """
        numbers = self._cell_numbers()
        return self._below(numbers, self.cfg.band_high) - self._below(numbers, self.cfg.band_low)

    def _below(self, numbers: Tensor, traversability: float) -> Tensor:
        """Pr(a cell's traversability is below the given one), of cell numbers (types, particles)."""
        successes = pooled_successes(self._successes, self._harder, self.cfg.kinship)
        alpha, beta = 1 + successes.gather(1, numbers), 1 + self._failures.gather(1, numbers).double()
        return torch.from_numpy(betainc(alpha.numpy(), beta.numpy(), traversability))

    def update(self, generator: Generator) -> None:
        """Resample by desirability, replay old cells, move to adjacent levels, fade the counts (Lee et al. Alg. S1)."""
        self._successes, self._failures = self.ranks.total(self._successes), self.ranks.total(self._failures)
        survivors = self._resample(self.desirability(), generator)
        replayed = torch.rand(survivors.shape, generator=generator) < self.cfg.replay_probability
        old = torch.multinomial(self._visited.double(), self.cfg.particles, replacement=True, generator=generator)
        numbers = torch.where(replayed, old, survivors)
        self.cells = self.ranks.first(self._transition(numbers, generator))
        self._successes *= self.cfg.memory / self.ranks.count
        self._failures *= self.cfg.memory / self.ranks.count
        self._remember()

    def export_state(self) -> dict[str, Tensor]:
        """Particles, and what all ranks together have counted, for another training with as many ranks as it likes.

        Of the counts since the last update those of this rank stand for all; "names" are the types', a line each.
        """
        return {"names": to_bytes(self.names), **self._scaled_counts(self.state_dict(), self.ranks.count)}

    def import_state(self, exported: dict[str, Tensor]) -> None:
        """Start each type where another training `exported` its own, each rank with its share of the counts.

        A type is known again by its name and levels, all others start on their easiest cell; a ValueError if none is
        known, or if the number of particles differs. Files without names hold the first types of this filter.
        """
        state = self._scaled_counts(self.state_dict(), 0.0)
        known = self._types_in(exported)
        if not known or exported["cells"].shape[1] != self.cfg.particles:
            raise ValueError("The curriculum is one of other terrain types, or of another number of particles.")
        state["cells"].zero_()
        state["visited"].zero_()[:, 0] = True
        for own, theirs in known.items():
            axes, cells = min(exported["levels"].shape[1], self._levels.shape[1]), int(self._levels[own].prod())
            state["cells"][own, :, :axes] = exported["cells"][theirs, :, :axes]
            for name in ("successes", "failures", "visited"):
                state[name][own, :cells] = exported[name][theirs, :cells]
        self.load_state_dict(self._scaled_counts(state, 1 / self.ranks.count))

    def _types_in(self, exported: dict[str, Tensor]) -> dict[int, int]:
        """Index in what another filter has `exported` of each type of this one that it knows, by its index here."""
        if exported.keys() | {"names"} != self._state().keys() | {"names"}:
            return {}
        names = from_bytes(exported["names"]) if "names" in exported else self.names[: len(exported["levels"])]
        shapes = [trimmed(levels) for levels in exported["levels"].tolist()]
        theirs = {(name, shape): index for index, (name, shape) in enumerate(zip(names, shapes, strict=True))}
        own = enumerate(zip(self.names, map(trimmed, self._levels.tolist()), strict=True))
        return {index: theirs[kind] for index, kind in own if kind in theirs}

    @staticmethod
    def _scaled_counts(state: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
        """The same with all counts times a factor."""
        return {name: value * factor if name in ("successes", "failures") else value for name, value in state.items()}

    def metrics(self) -> dict[str, float]:
        """Per type: mean difficulty 0..1 of the particles, and the fraction of recent trajectories that crossed."""
        free = (self._levels > 1).double()
        level = reduce(self.cells.double(), "t p a -> t a", "mean") / (self._levels - 1).clamp(min=1)
        difficulty = (level * free).sum(dim=1) / free.sum(dim=1).clamp(min=1)
        successes, failures = self._successes.double().sum(dim=1), self._failures.double().sum(dim=1)
        traversability = successes / (successes + failures).clamp(min=torch.finfo(torch.float64).tiny)
        columns = {"terrain": difficulty.tolist(), "traversability": traversability.tolist()}
        return {f"{key}/{name}": column[i] for key, column in columns.items() for i, name in enumerate(self.names)}

    def state_dict(self) -> dict[str, Tensor]:
        """The state of the filter, as tensors of its own."""
        return {name: tensor.clone() for name, tensor in self._state().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`; refuses one of other terrain types, levels or particle count."""
        own = self._state()
        if state.keys() != own.keys() or any(state[name].shape != own[name].shape for name in own):
            raise ValueError("The saved curriculum has another form; resume with the configuration it was saved with.")
        if not torch.equal(state["levels"], self._levels):
            raise ValueError("The saved curriculum has other terrain levels; resume with the terrain it was saved on.")
        self.cells, self._visited = state["cells"].clone(), state["visited"].clone()
        self._successes, self._failures = state["successes"].clone(), state["failures"].clone()

    def _state(self) -> dict[str, Tensor]:
        return {
            "levels": self._levels,
            "cells": self.cells,
            "successes": self._successes,
            "failures": self._failures,
            "visited": self._visited,
        }

    def _cell_numbers(self) -> Tensor:
        return (self.cells * rearrange(self._strides, "t a -> t 1 a")).sum(dim=-1)  # (types, particles)

    def _remember(self) -> None:
        self._visited.scatter_(1, self._cell_numbers(), True)

    def _resample(self, weights: Tensor, generator: Generator) -> Tensor:
        """Cell numbers (types, particles) drawn systematically in proportion to weights of the same shape."""
        weights = weights.clamp(min=SMALLEST_WEIGHT)
        cumulative = weights.cumsum(dim=1) / weights.sum(dim=1, keepdim=True)
        offset = torch.rand(len(weights), 1, generator=generator, dtype=weights.dtype)
        comb = (offset + torch.arange(self.cfg.particles)) / self.cfg.particles
        parents = torch.searchsorted(cumulative, comb, right=True).clamp(max=self.cfg.particles - 1)
        return self._cell_numbers().gather(1, parents)

    def _transition(self, numbers: Tensor, generator: Generator) -> Tensor:
        """Walk from cell numbers (types, particles): each parameter moves one level, or stays at the bound.

        It moves up with the probability that the cell's traversability lies above the middle of the band (decision 19;
        Lee et al. move up or down alike, which drifts away from what is learnable when no cell lies in the band).
        """
        cells, levels = cells_of(numbers, self._levels), rearrange(self._levels, "t a -> t 1 a")
        mastered = 1 - self._below(numbers, (self.cfg.band_low + self.cfg.band_high) / 2)
        moves = torch.rand(cells.shape, generator=generator) < self.cfg.transition_probability
        up = torch.rand(cells.shape, generator=generator, dtype=torch.float64) < rearrange(mastered, "t p -> t p 1")
        return torch.minimum((cells + torch.where(up, 1, -1) * moves).clamp(min=0), levels - 1)


def trimmed(levels: Sequence[int]) -> tuple[int, ...]:
    """Level counts per parameter without the axes of one level at the end, which only fill up."""
    return tuple(levels[: max((axis + 1 for axis, count in enumerate(levels) if count > 1), default=0)])


def to_bytes(names: Sequence[str]) -> Tensor:
    """Names as a tensor of bytes, a line each, for files that hold tensors."""
    return torch.tensor(list("\n".join(names).encode()), dtype=torch.uint8)


def from_bytes(names: Tensor) -> tuple[str, ...]:
    """The names of `to_bytes`."""
    return tuple(bytes(names.tolist()).decode().split("\n"))
