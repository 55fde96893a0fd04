"""World: terrain and its parameters, the map that Students get, friction and payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from envs.height_noise import LEVELS
from envs.terrains import FAMILIES, parameters
from viewer.driving import within
from viewer.wishes import value_of
from viewer.world import COVERED, FRICTION, PAYLOAD, body_of, choices

if TYPE_CHECKING:
    from viewer.page import Page

FINE, COARSE = 0.01, 1.0
"""Steps of the sliders of small and of large numbers."""


class WorldPanel:
    """Another ground rebuilds the world at once; all else changes while the robots walk."""

    def __init__(self, page: Page) -> None:
        """Add the controls to the present tab."""
        self.page = page
        gui, changed, world = page.server.gui, page.wishes.when_changed, page.session.world
        self.terrain = gui.add_dropdown(
            "Terrain", (*page.session.heightmaps, *FAMILIES), initial_value=world.terrain,
            hint="All robots start again on it.",
        )  # fmt: skip
        self.folder = gui.add_folder("Parameters")
        self.controls: dict[str, Any] = {}
        self._offer(world.terrain, world.parameters)
        changed(self.terrain, self._take_terrain)
        again = gui.add_button(
            "Another one of its kind", hint="The same parameters; what chance decides comes out anew."
        )
        page.wishes.when_pressed(again, self._again)
        with gui.add_folder("Map that a Student gets"):
            self.noise = gui.add_dropdown(
                "Errors", tuple(LEVELS), initial_value=world.noise, hint="A Teacher knows the ground as it is."
            )
            self.cover = gui.add_checkbox(
                "Cover the sensors",
                initial_value=world.noise == COVERED,
                hint="Nothing of the ground is known any more.",
            )
            self.uncovered = world.noise if world.noise != COVERED else "nominal"
            changed(self.noise, self._see)
            changed(self.cover, lambda on: self._see(COVERED if on else self.uncovered))
        with gui.add_folder("Body"):
            friction, payload = body_of(page.session.focused.env)
            self.friction = self._body(gui, "Friction of the feet", 0.05, FRICTION, friction)
            self.payload = self._body(gui, "Payload, kg", 0.5, PAYLOAD, payload)
            changed(self.friction, lambda value: page.session.change(friction=value))
            changed(self.payload, lambda value: page.session.change(payload=value))

    @staticmethod
    def _body(gui: Any, label: str, step: float, bounds: tuple[float, float], value: float) -> Any:
        """A slider for what the robots are like."""
        low, high = bounds
        hint = "As the task has it, until it is moved."
        return gui.add_slider(label, min=low, max=high, step=step, initial_value=within(value, low, high), hint=hint)

    def _offer(self, terrain: str, values: Mapping[str, float]) -> None:
        """Sliders for the parameters of this kind of ground, at these values."""
        for control in self.controls.values():
            control.remove()
        gui, offered = self.page.server.gui, choices(terrain, values)
        self.folder.visible = bool(offered)
        with self.folder:
            self.controls = {name: self._control(gui, *offered[name], values[name]) for name in offered}
        for control in self.controls.values():
            self.page.wishes.when_reshaped(control, self._shape)

    @staticmethod
    def _control(gui: Any, parameter: Any, low: float, high: float, value: float) -> Any:
        """A slider for one parameter."""
        unit = f", {parameter.unit}" if parameter.unit else ""
        if parameter.choices:
            step = min(b - a for a, b in zip(parameter.choices, parameter.choices[1:], strict=False))
        else:
            step = COARSE if high > 10 else FINE
        return gui.add_slider(
            f"{parameter.name}{unit}", min=low, max=high, step=step, initial_value=value, hint=parameter.meaning
        )

    def _take_terrain(self, name: str) -> None:
        """This kind of ground, at half its difficulty."""
        if name not in self.page.session.heightmaps and name not in FAMILIES:
            raise ValueError(f"There is no terrain '{name}' in the list.")
        self.page.session.rebuild(name, parameters(name) if name in FAMILIES else {}, self.page.session.world.seed)
        self.take()

    def _shape(self) -> None:
        """The same kind of ground as the sliders say."""
        self._rebuild(self.page.session.world.seed)

    def _again(self) -> None:
        """The same kind of ground from another seed."""
        self._rebuild(self.page.session.world.seed + 1)

    def _rebuild(self, seed: int) -> None:
        values = {name: value_of(control) for name, control in self.controls.items()}
        self.page.session.rebuild(self.page.session.world.terrain, values, seed)
        self.page.stage.show_ground()

    def _see(self, noise: str) -> None:
        """Another map for Students; the one before it is what uncovered sensors give again."""
        before = self.page.session.world.noise
        self.page.session.change(noise=noise)
        if before != COVERED:
            self.uncovered = before

    def take(self) -> None:
        """The ground that the session has now, whoever has changed it."""
        world = self.page.session.world
        self._offer(world.terrain, world.parameters)
        self.page.stage.show_ground()

    def show(self) -> None:
        """What ground, map and body are now."""
        world = self.page.session.world
        friction, payload = body_of(self.page.session.focused.env)
        self.terrain.value = world.terrain
        self.friction.value, self.payload.value = within(friction, *FRICTION), within(payload, *PAYLOAD)
        self.noise.value, self.cover.value = world.noise, world.noise == COVERED
