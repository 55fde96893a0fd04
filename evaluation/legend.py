"""A legend to paint into pictures: a key of colours and a strip chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from envs.dots import Colour
from envs.rendering import Image as Picture

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

LINES = 32
"""Lines of text that would fill a picture's height."""
SMALLEST = 8
"""Pixels, smallest line of text."""
WIDTH, STRIP_HEIGHT, MARGIN = 15.0, 2.5, 0.5
"""Of the legend, the strip and the space around things, in lines of text."""
BACKGROUND, FRAME, INK = (32, 32, 32), (110, 110, 110), (240, 240, 240)
"""Colours."""


class Strip(NamedTuple):
    """A quantity from 0 to 1 over time."""

    title: str
    """What it is."""
    values: Sequence[float]
    """Oldest first, newest at the right."""
    length: int
    """Values that fill the strip."""


def paint_legend(key: Sequence[tuple[Colour, str]], strip: Strip | None, height: int) -> Picture:
    """The legend for a picture of `height` pixels, RGB: a line for each colour, then the strip if there is one."""
    line = max(SMALLEST, height // LINES)
    margin = MARGIN * line
    lines = len(key) + (1 + STRIP_HEIGHT if strip else 0)
    panel = Image.new("RGB", (round(WIDTH * line), round(lines * line + 2 * margin)), BACKGROUND)
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(0.8 * line)
    for row, (colour, meaning) in enumerate(key):
        middle, radius = margin + (row + 0.5) * line, 0.3 * line
        draw.ellipse((margin, middle - radius, margin + 2 * radius, middle + radius), fill=colour)
        draw.text((3 * margin, middle), meaning, INK, font, anchor="lm")
    if strip is not None:
        top = margin + len(key) * line
        draw.text((margin, top + 0.5 * line), strip.title, INK, font, anchor="lm")
        draw_strip(draw, strip, (3 * margin, top + 1.1 * line, panel.width - margin, panel.height - margin), font)
    return np.asarray(panel)


def draw_strip(draw: ImageDraw.ImageDraw, strip: Strip, box: tuple[float, float, float, float], font: Font) -> None:
    """The strip's values as bars within `box` (left, top, right, bottom), with its scale at the left."""
    left, top, right, bottom = box
    draw.text((left - 4, top), "1", INK, font, anchor="rt")
    draw.text((left - 4, bottom), "0", INK, font, anchor="rb")
    step = (right - left) / strip.length
    for age, value in enumerate(reversed(strip.values)):
        draw.rectangle(
            (right - (age + 1) * step, bottom - value * (bottom - top), right - age * step, bottom), fill=INK
        )
    draw.rectangle(box, outline=FRAME)


def inset(picture: Picture, panel: Picture) -> Picture:
    """The picture with the panel, as far as it fits, in its upper left corner."""
    height, width = (min(side) for side in zip(picture.shape[:2], panel.shape[:2], strict=True))
    covered = picture.copy()
    covered[:height, :width] = panel[:height, :width]
    return covered
