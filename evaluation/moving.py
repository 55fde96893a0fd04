"""A moving picture for a page of text from a video: `python -m evaluation.moving VIDEO.mp4 PICTURE.webp`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import imageio_ffmpeg
import tyro
from PIL import Image

from system import stopping
from system.files import whole
from system.shell import quoted

STEP = 10
"""Of quality, from one try to the next."""


@dataclass(frozen=True)
class Args:
    """Write a video as a WebP that browsers show and repeat by themselves."""

    video: tyro.conf.Positional[Path]
    """Video to read (.mp4)."""
    picture: tyro.conf.Positional[Path]
    """Moving picture to write (.webp)."""
    every: int = 2
    """Take one of so many pictures."""
    width: int = 640
    """Pixels; a wider video is made smaller, which smooths what software draws with jagged edges."""
    quality: int = 55
    """0 to 100; more is larger."""
    largest: float = 3.0
    """MB that the picture may have; its quality is lowered until it has no more."""


def read_pictures(video: Path, every: int, width: int) -> tuple[list[Image.Image], float]:
    """Every so many-th picture of a video, at most `width` pixels wide, and how many of them make a second."""
    if not video.is_file():
        raise ValueError(f"There is no video {video}.")
    frames: Iterator[bytes | dict] = imageio_ffmpeg.read_frames(video)
    meta = next(frames)
    assert isinstance(meta, dict)
    size = meta["size"]
    smaller = size if size[0] <= width else (width, round(size[1] * width / size[0]))
    pictures = [
        Image.frombytes("RGB", size, frame).resize(smaller, Image.Resampling.BOX)
        for number, frame in enumerate(frames)
        if number % every == 0 and isinstance(frame, bytes)
    ]
    return pictures, meta["fps"] / every


def shrunk(pictures: list[Image.Image], rate: float, quality: int, largest: float) -> bytes:
    """A moving WebP of at most `largest` bytes, as good as that allows; a ValueError if nothing is small enough."""
    first, *others = pictures
    for lower in range(quality, -1, -STEP):
        file = BytesIO()
        duration = round(1000 / rate)
        first.save(file, "WEBP", save_all=True, append_images=others, duration=duration, loop=0, quality=lower)
        if file.tell() <= largest:
            return file.getvalue()
    raise ValueError(f"The pictures do not fit into {largest / 1e6:g} MB: take fewer, or smaller ones.")


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Convert; exit code 2 for a video that cannot be read."""
    args = tyro.cli(Args, args=argv, prog="evaluation.moving")
    try:
        pictures, rate = read_pictures(args.video, args.every, args.width)
        content = shrunk(pictures, rate, args.quality, args.largest * 1e6)
        with whole(args.picture) as part:
            part.write_bytes(content)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"evaluation.moving: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {quoted(args.picture)}, {len(content) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
