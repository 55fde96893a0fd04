"""The failures of the elevation maps of n robots: when each begins and ends, and what the map shows meanwhile."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from anymal_policy.layout import RINGS
from envs.height_noise import shown
from envs.height_noise.failures import Failure, FailureConfig
from envs.height_noise.points import Holes
from envs.height_noise.shown import Beginning, Query

MEMORY = ("sizes", "turn", "feet", "begins", "ends", "age", "began", "drifted", "poses", "failed")
"""What a failing map remembers from one step to the next."""
NO_STEP = -1
"""Step in which failures begin that do not occur."""
REACH = RINGS[-1][1]
"""m from a foot, of its farthest height samples."""
SHOWN = tuple(Failure._fields.index(name) for name in ("flat", "rise", "shift", "drift", "edge", "wall", "sensor"))
"""Sizes of errors in what the map shows of the ground."""


class Pose(NamedTuple):
    """Pose of n robots in the world, as far as maps need it."""

    foot_position: Tensor
    """(n, 4, 3) m, centres of the feet."""
    soles: Tensor
    """(n, 4) m, heights of the soles."""
    base_position: Tensor
    """(n, 3) m."""
    heading: Tensor
    """(n,) rad."""

    def of(self, env_ids: Tensor) -> Pose:
        """The pose of some robots."""
        return Pose(*(each[env_ids] for each in self))


class MapFailures:
    """Failures of n elevation maps; before each look at them `advance` or `reset`."""

    def __init__(
        self, cfg: FailureConfig, redraw_steps: int, num_envs: int, dt: float, generator: torch.Generator
    ) -> None:
        """Sound maps, for policy steps of `dt` s; failures are drawn anew every `redraw_steps`."""
        self.cfg, self.redraw_steps, self.dt, self.generator = cfg, redraw_steps, dt, generator
        self.ranges, self.thresholds = cfg.ranges(), cfg.kinds().cumsum(0)
        self.sizes = torch.zeros(num_envs, len(Failure._fields))
        self.turn = torch.zeros(num_envs)
        self.feet = torch.zeros(num_envs, 4, dtype=torch.bool)
        self.begins = torch.full((num_envs,), NO_STEP)
        self.ends = torch.full((num_envs,), NO_STEP)
        self.age = torch.zeros(num_envs, dtype=torch.long)
        self.began = torch.zeros(num_envs, len(Beginning._fields))
        self.drifted = torch.zeros(num_envs, 3)
        self.poses = torch.zeros(max(2, 1 + math.ceil(cfg.longest_lag() / dt)), num_envs, 11)  # newest first
        self.failed = torch.zeros(num_envs, dtype=torch.bool)

    def reset(self, env_ids: Tensor, pose: Pose, factor: float) -> None:
        """New maps for the episodes that these robots start at `pose` of all robots; `factor` is c_sk.

        An episode is drawn to be one in which maps fail or one in which they do not, whatever comes of it.
        """
        self.age[env_ids], self.failed[env_ids] = 0, False
        self.poses[:, env_ids] = placed(pose)[env_ids]
        probability = factor * self.cfg.probability
        if probability > 0 and len(env_ids):
            self.failed[env_ids] = self._even(len(env_ids)) < probability
        self._draw(env_ids)
        self._begin(env_ids, pose)

    def advance(self, pose: Pose) -> None:
        """Let a policy step pass that led to `pose`."""
        self.age += 1
        self.poses = torch.cat([rearrange(placed(pose), "n dim -> 1 n dim"), self.poses[:-1]])
        self._draw(torch.nonzero(self.age % self.redraw_steps == 0).squeeze(-1))
        self._begin(torch.arange(len(self.age)), pose)
        self._drift()

    def fail(self, env_ids: Tensor, failure: Failure, seconds: float) -> None:
        """Let the maps of these robots fail so from the next step on, for `seconds`, at most until the next draw."""
        if failure.late[1] > (len(self.poses) - 1) * self.dt:
            raise ValueError("Poses of so long ago are not kept; configure maps that are late.")
        self._draw_sizes(env_ids, repeat(torch.tensor(failure).T, "two sizes -> m two sizes", m=len(env_ids)))
        self.failed[env_ids] = True
        self.begins[env_ids] = self.age[env_ids] + 1
        self.ends[env_ids] = self.begins[env_ids] + round(seconds / self.dt)

    def active(self) -> Tensor:
        """Robots whose map fails now, (n,) bool."""
        return (self.begins <= self.age) & (self.age < self.ends)

    def worthless(self) -> Tensor:
        """Robots whose map says nothing of the ground ahead of them now, or nothing true, (n,) bool.

        A frozen one says nothing from where the edge of what it knows is as near as the front feet tread next. A map
        with holes, shadows, lags, drift or walls that are not there is still worth something.
        """
        size, began = named(self.sizes), Beginning(*self.began.unbind(-1))
        way = torch.hypot(self.poses[0, :, 0] - began.x, self.poses[0, :, 1] - began.y)
        beyond = (size["edge"] > 0) & (way + REACH > size["edge"])
        lies = torch.stack([size[name] != 0 for name in ("flat", "rise", "shift", "stuck")]).any(0)
        return self.active() & (lies | beyond | (size["missing"] >= 1))

    def stuck(self) -> Tensor:
        """Robots whose samples stay as they are, (n,) bool."""
        return self.active() & (named(self.sizes)["stuck"] > 0) & (self.age > self.begins)

    def looks_from(self, env_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Places of the feet (m, 4, 2) m and headings (m,) rad for which the maps of these robots are read."""
        late = named(self.sizes[env_ids])["late"] * self.active()[env_ids]
        poses = self.poses[(late / self.dt).round().long(), env_ids]
        return rearrange(poses[:, 2:10], "m (foot xy) -> m foot xy", xy=2), poses[:, 10]

    def holes(self, env_ids: Tensor, usual: Holes) -> Holes:
        """Where the maps of these robots hold no information: as its failure says where one fails, else as usual."""
        active = self.active()[env_ids]
        if not active.any():
            return usual
        size, fails = named(self.sizes[env_ids].double()), active.numpy()
        fraction = (rearrange(size["missing"], "m -> m 1") * self.feet[env_ids]).numpy()
        return Holes(
            np.where(fails[:, None], fraction, usual.fraction),
            np.where(fails, size["patch"].numpy(), usual.size),
            np.where(fails, size["invented"].numpy(), usual.invented),
        )

    def shown(self, env_ids: Tensor, pose: Pose, query: Query) -> Query:
        """The ground as the maps of these robots show it to samples (m x 4 x 52); NaN where they know nothing."""
        lies = self.active()[env_ids] & (self.sizes[env_ids][:, SHOWN] != 0).any(dim=-1)
        part = torch.nonzero(lies).squeeze(-1)
        if len(part) == 0:
            return query

        def lie(flat_points: Tensor) -> Tensor:
            heights = query(flat_points).clone()
            points = rearrange(flat_points, "(m foot point) xy -> m foot point xy", m=len(env_ids), foot=4)
            by_map = rearrange(heights, "(m foot point) -> m foot point", m=len(env_ids), foot=4)
            by_map[part] = self._lie(env_ids[part], pose.of(env_ids[part]), points[part], by_map[part], query)
            return heights

        return lie

    def _lie(self, env_ids: Tensor, pose: Pose, points: Tensor, truth: Tensor, query: Query) -> Tensor:
        """What maps that fail show at `points` (m, 4, 52, 2) m, where the ground has the height `truth` (m, 4, 52)."""
        size, began = named(self.sizes[env_ids]), Beginning(*self.began[env_ids].unbind(-1))
        turn = self.turn[env_ids]
        aside = rearrange(size["shift"], "m -> m 1") * torch.stack([turn.cos(), turn.sin()], dim=-1)
        heights = shown.ask(query, shown.displaced(points, aside + self.drifted[env_ids, :2]))
        heights = torch.where(shown.per_map(size["shift"]) > 0, shown.levelled(heights, truth), heights)
        heights = torch.where(shown.per_map(size["flat"]) > 0, shown.per_map(began.level), heights)
        heights = heights + shown.per_map(size["rise"] + self.drifted[env_ids, 2])
        heights = heights + shown.wall(points, began, size["wall"], size["gap"], size["both"], turn)
        unknown = shown.beyond(points, began, size["edge"])
        eyes = torch.nonzero(size["sensor"]).squeeze(-1)
        if len(eyes):
            eye = pose.base_position[eyes].clone()
            eye[:, 2] += size["sensor"][eyes]
            unknown[eyes] |= shown.hidden(points[eyes], truth[eyes], eye, query)
        concerned = shown.every_point(self.feet[env_ids], points.shape[2])
        return torch.where(concerned, heights.masked_fill(unknown, torch.nan), truth)

    def _draw(self, env_ids: Tensor) -> None:
        """Draw how these robots' maps fail until the next draw, in the episodes in which they do."""
        self.begins[env_ids], self.ends[env_ids] = NO_STEP, NO_STEP
        env_ids = env_ids[self.failed[env_ids]]
        m, cfg = len(env_ids), self.cfg
        if m == 0:
            return
        kind = torch.bucketize(self._even(m), self.thresholds, right=True)
        self._draw_sizes(env_ids, self.ranges[kind.clamp(max=len(self.ranges) - 1)])
        sudden = self._even(m) < cfg.sudden
        (first, last), (shortest, longest) = cfg.begins, cfg.lasts
        delay = ((first + (last - first) * self._even(m)) / self.dt).round().long()
        lasts = ((shortest + (longest - shortest) * self._even(m)) / self.dt).round().long()
        self.begins[env_ids] = self.age[env_ids] + delay * sudden
        self.ends[env_ids] = torch.where(sudden, self.begins[env_ids] + lasts, self.age[env_ids] + self.redraw_steps)

    def _draw_sizes(self, env_ids: Tensor, ranges: Tensor) -> None:
        """Draw how the maps of these robots fail, from the lowest and highest sizes of each (m, 2, sizes)."""
        m, (low, high) = len(env_ids), ranges.unbind(1)
        sizes = low + (high - low) * self._even(*low.shape)
        sizes[:, Failure._fields.index("rise")] *= 2.0 * (self._even(m) < 0.5) - 1.0
        self.sizes[env_ids], self.drifted[env_ids] = sizes, 0.0
        self.turn[env_ids] = torch.pi * (2 * self._even(m) - 1)
        self.feet[env_ids] = self._even(m, 4) < sizes[:, -1:]

    def _begin(self, env_ids: Tensor, pose: Pose) -> None:
        """Note where the failures begin that do so in this step."""
        env_ids = env_ids[self.age[env_ids] == self.begins[env_ids]]
        base, soles = pose.base_position[env_ids], pose.soles[env_ids]
        self.began[env_ids] = torch.stack([base[:, 0], base[:, 1], soles.mean(-1), pose.heading[env_ids]], dim=-1)

    def _drift(self) -> None:
        """Let maps walk away from the ground in proportion to the root of the robots' way."""
        rate = named(self.sizes)["drift"] * self.active()
        env_ids = torch.nonzero(rate).squeeze(-1)
        if len(env_ids):
            way = (self.poses[0, env_ids, :2] - self.poses[1, env_ids, :2]).norm(dim=-1, keepdim=True)
            steps = torch.randn(len(env_ids), 3, generator=self.generator)
            self.drifted[env_ids] += rearrange(rate[env_ids], "m -> m 1") * way.sqrt() * steps

    def _even(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        return {name: getattr(self, name).clone() for name in MEMORY}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name in MEMORY:
            setattr(self, name, state[name].clone())


def placed(pose: Pose) -> Tensor:
    """What is kept of a pose, (n, 11): base x and y, feet x and y, heading."""
    feet = rearrange(pose.foot_position[..., :2], "n foot xy -> n (foot xy)")
    return torch.cat([pose.base_position[:, :2], feet, rearrange(pose.heading, "n -> n 1")], dim=-1)


def named(sizes: Tensor) -> dict[str, Tensor]:
    """Sizes (m, sizes) of failures by the names of `Failure`, (m,) each."""
    return dict(zip(Failure._fields, sizes.unbind(-1), strict=True))
