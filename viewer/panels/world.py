"""World: terrain and its parameters, the map that Students get, friction and payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envs.height_noise import LEVELS
from envs.terrains import FAMILIES, parameters
from viewer.wishes import number
from viewer.world import COVERED, FRICTION, PAYLOAD, choices

if TYPE_CHECKING:
    from viewer.page import Page

FINE, COARSE = 0.01, 1.0
"""Steps of the sliders of small and of large numbers."""


class WorldPanel:
    """Another ground rebuilds the world at once; all else changes while the robots walk."""

    def __init__(self, page: Page) -> None:
        """Add the controls to the present tab."""
        self.page = page
        gui, when, world = page.server.gui, page.wishes.when, page.session.world
        self.terrain = gui.add_dropdown("Terrain", (*page.session.heightmaps, *FAMILIES), initial_value=world.terrain)
        self.folder = gui.add_folder("Parameters")
        self.controls: dict[str, Any] = {}
        self._offer(dict(world.parameters))
        when(self.terrain, self._take_terrain)
        when(gui.add_button("Another one of its kind"), self._again)
        with gui.add_folder("Map"):
            self.noise = gui.add_dropdown("Errors of the map", tuple(LEVELS), initial_value=world.noise)
            self.cover = gui.add_checkbox("Cover the sensors", initial_value=world.noise == COVERED)
            self.uncovered = world.noise if world.noise != COVERED else "nominal"
            when(self.noise, lambda: self._see(self.noise.value))
            when(self.cover, lambda: self._see(COVERED if self.cover.value else self.uncovered))
        with gui.add_folder("Body"):
            low, high = FRICTION
            self.friction = gui.add_slider("Friction", min=low, max=high, step=0.05, initial_value=world.friction)
            low, high = PAYLOAD
            self.payload = gui.add_slider("Payload, kg", min=low, max=high, step=0.5, initial_value=world.payload)
            when(self.friction, lambda: self.page.session.change(friction=number(self.friction)))
            when(self.payload, lambda: self.page.session.change(payload=number(self.payload)))

    def _offer(self, values: dict[str, float]) -> None:
        """Sliders for the parameters of the family that is chosen, at these values."""
        for control in self.controls.values():
            control.remove()
        gui, offered = self.page.server.gui, choices(self.terrain.value)
        self.folder.visible = bool(offered)
        with self.folder:
            self.controls = {name: self._control(gui, *offered[name], values[name]) for name in offered}
        for control in self.controls.values():
            self.page.wishes.when(control, self._rebuild)

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

    def _take_terrain(self) -> None:
        """The chosen kind of ground, at half its difficulty."""
        name = self.terrain.value
        if name not in self.page.session.heightmaps and name not in FAMILIES:
            raise ValueError(f"There is no terrain '{name}' in the list.")
        self._offer(parameters(name) if name in FAMILIES else {})
        self._rebuild()

    def _again(self) -> None:
        """The same kind of ground from another seed."""
        self._rebuild(self.page.session.world.seed + 1)

    def _rebuild(self, seed: int | None = None) -> None:
        values = {name: number(control) for name, control in self.controls.items()}
        world = self.page.session.world
        self.page.session.rebuild(self.terrain.value, values, world.seed if seed is None else seed)
        self.page.stage.show_ground()

    def _see(self, noise: str) -> None:
        """Another map for Students."""
        if noise != COVERED:
            self.uncovered = noise
        self.page.session.change(noise=noise)

    def take(self) -> None:
        """The ground and the body that the session has now, whoever has changed them."""
        world = self.page.session.world
        self.terrain.value, self.friction.value, self.payload.value = world.terrain, world.friction, world.payload
        self._offer(dict(world.parameters))
        self.page.stage.show_ground()

    def show(self) -> None:
        """What the map is now."""
        self.noise.value = self.page.session.world.noise
        self.cover.value = self.page.session.world.noise == COVERED
