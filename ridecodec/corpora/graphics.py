"""Pictures that no camera took: windows, charts, icons, clip art, sprites, text, in full colour or with a palette.

What they have in common with screenshots and web graphics is what the graphics model is to learn: flat areas, straight
lines, text, colours that come again, soft edges between two colours. They are drawn at random, for training only, so
another Pillow may draw them otherwise.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SOFT = 4
"""Soft edges are drawn so much larger, and averaged."""
_SIDES = (96, 320)
Colour = tuple[int, ...]


class _Pen:
    """Draws on a picture with random choices."""

    def __init__(self, rng: np.random.Generator, mode: str, size: tuple[int, int], background: Colour | int) -> None:
        self.rng, self.size = rng, size
        self.image = Image.new(mode, size, background)
        self.draw = ImageDraw.Draw(self.image)

    def number(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.rng.integers(low, max(low, high) + 1))

    def box(self, least: int = 4) -> tuple[int, int, int, int]:
        """Corners of a rectangle inside of the picture."""
        x, y = self.number(0, self.size[0] - least), self.number(0, self.size[1] - least)
        return x, y, self.number(x + least, self.size[0] - 1), self.number(y + least, self.size[1] - 1)

    def text(self, x: int, y: int, size: int, fill: Colour | int, length: int) -> None:
        letters = list(string.ascii_letters + "    " + string.digits + ".,:;-()")
        self.draw.text((x, y), "".join(self.rng.choice(letters, length)), fill, _font(size))

    def shape(self, fill: Colour | int) -> None:
        """A rectangle, an ellipse, a polygon or a line."""
        kind, box = self.number(0, 3), self.box()
        if kind == 0:
            self.draw.rectangle(box, fill)
        elif kind == 1:
            self.draw.ellipse(box, fill)
        elif kind == 2:
            count = self.number(3, 7)
            self.draw.polygon(
                [(self.number(0, self.size[0]), self.number(0, self.size[1])) for _ in range(count)], fill
            )
        else:
            self.draw.line(box, fill, self.number(1, 9))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _colours(rng: np.random.Generator, count: int, channels: int = 3) -> list[Colour]:
    """A theme: grays and a few hues."""
    found = rng.integers(0, 256, (count, channels))
    gray = rng.random(count) < 0.4
    found[gray, :3] = found[gray, :1]
    return [tuple(map(int, colour)) for colour in found]


def _size(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(*_SIDES)), int(rng.integers(*_SIDES))


def _shade(rng: np.random.Generator, size: tuple[int, int], first: Colour, last: Colour) -> Image.Image:
    """A gradient between two colours."""
    angle = rng.random() * 2 * np.pi
    y, x = np.mgrid[: size[1], : size[0]]
    way = (x - size[0] / 2) * np.cos(angle) + (y - size[1] / 2) * np.sin(angle)
    share = (way - way.min()) / max(1e-9, float(way.max() - way.min()))
    mixed = np.array(first) + share[:, :, None] * (np.array(last) - np.array(first))
    return Image.fromarray(mixed.round().astype(np.uint8))


def window(rng: np.random.Generator) -> Image.Image:
    """Panels, buttons, lines of text, small icons in rows."""
    theme = _colours(rng, 8)
    pen = _Pen(rng, "RGB", _size(rng), theme[0])
    stamp = icon(rng).resize((16, 16))
    for _ in range(pen.number(3, 9)):
        x0, y0, x1, y1 = pen.box(12)
        pen.draw.rectangle((x0, y0, x1, y1), theme[pen.number(1, 7)], theme[pen.number(0, 7)])
        if rng.random() < 0.3:
            pen.image.paste(_shade(rng, (x1 - x0 + 1, y1 - y0 + 1), *theme[1:3]), (x0, y0))
        size, fill = pen.number(8, 18), theme[pen.number(0, 7)]
        for line in range(pen.number(0, max(0, y1 - y0) // (size + 3))):
            pen.text(x0 + 4, y0 + 2 + line * (size + 3), size, fill, max(1, 2 * (x1 - x0 - 8) // size))
        if rng.random() < 0.5:
            for k in range(pen.number(1, 6)):
                pen.image.paste(stamp, (x0 + 20 * k, y0), stamp)
    return pen.image


def chart(rng: np.random.Generator) -> Image.Image:
    """Axes, a grid, bars or curves, labels."""
    theme = _colours(rng, 6)
    pen = _Pen(rng, "RGB", _size(rng), (255, 255, 255))
    width, height = pen.size
    step = pen.number(12, 50)
    for at in range(0, max(width, height), step):
        pen.draw.line((at, 0, at, height), (220, 220, 220))
        pen.draw.line((0, at, width, at), (220, 220, 220))
        pen.text(2, at, 10, (0, 0, 0), 3)
    for colour in theme[: pen.number(1, 4)]:
        heights = (np.cumsum(rng.normal(0, height / 12, width)) + height / 2).astype(int)
        if rng.random() < 0.5:
            pen.draw.line([(x, int(heights[x])) for x in range(0, width, 3)], colour, pen.number(1, 3))
        else:
            for x in range(0, width, step):
                pen.draw.rectangle((x, min(height - 1, int(heights[x])), x + step // 2, height), colour)
    return pen.image


def icon(rng: np.random.Generator) -> Image.Image:
    """Shapes with soft edges and shades on a transparent ground."""
    side = int(rng.choice([16, 24, 32, 48, 64, 96, 128]))
    theme = _colours(rng, 6)
    image = Image.new("RGBA", (_SOFT * side, _SOFT * side), (0, 0, 0, 0))
    for _ in range(int(rng.integers(2, 7))):
        mask = _Pen(rng, "L", image.size, 0)
        mask.shape(int(rng.choice([255, 255, 160])))
        first, last = (theme[int(rng.integers(6))] for _ in range(2))
        shade = _shade(rng, image.size, first, last if rng.random() < 0.6 else first)
        image.paste(shade, (0, 0), mask.image)
    small = image.resize((side, side), Image.Resampling.BOX)
    if rng.random() < 0.5:  # colours under full transparency are often one
        pixels = np.array(small)
        pixels[pixels[:, :, 3] == 0, :3] = 0
        small = Image.fromarray(pixels)
    return small


def clip_art(rng: np.random.Generator) -> Image.Image:
    """Large flat shapes of a few colours, with soft edges."""
    theme = _colours(rng, 6)
    size = _size(rng)
    pen = _Pen(rng, "RGB", (2 * size[0], 2 * size[1]), theme[0])
    for _ in range(pen.number(4, 14)):
        pen.shape(theme[pen.number(0, 5)])
    return pen.image.resize(size, Image.Resampling.BOX)


def sprites(rng: np.random.Generator) -> Image.Image:
    """Small patterns of few colours that come again and again, some mirrored."""
    theme = np.array(_colours(rng, int(rng.integers(3, 16))), np.uint8)
    side = int(rng.choice([8, 16]))
    tiles = theme[rng.integers(0, len(theme), (6, side, side // 2))]
    tiles[:3] = tiles[:3, :1, :1]
    tiles = np.concatenate([tiles, tiles[:, :, ::-1]], 2)
    chosen = tiles[rng.choice(6, (int(rng.integers(6, 20)), int(rng.integers(6, 20))), p=rng.dirichlet(np.ones(6)))]
    rows, columns = chosen.shape[:2]
    return Image.fromarray(
        np.ascontiguousarray(chosen.transpose(0, 2, 1, 3, 4).reshape(rows * side, columns * side, 3))
    )


def page(rng: np.random.Generator) -> Image.Image:
    """Text in black on white, of two values or with soft edges."""
    pen = _Pen(rng, "L", _size(rng), 255)
    size = pen.number(9, 24)
    for y in range(4, pen.size[1] - size, size + pen.number(2, 6)):
        pen.text(4, y, size, 0, 2 * pen.size[0] // size)
    return pen.image.point(lambda value: 255 * (value > 127)) if rng.random() < 0.5 else pen.image


def indexed(rng: np.random.Generator) -> Image.Image:
    """One of the others with a palette, dithered or not."""
    kinds: tuple[Callable[[np.random.Generator], Image.Image], ...] = (window, chart, clip_art, sprites)
    image = kinds[int(rng.integers(len(kinds)))](rng)
    if rng.random() < 0.3:
        image = _shade(rng, image.size, *_colours(rng, 2))
    dither = Image.Dither.FLOYDSTEINBERG if rng.random() < 0.3 else Image.Dither.NONE
    return image.quantize(int(rng.choice([4, 16, 32, 64, 256])), dither=dither)


KINDS = (window, chart, icon, clip_art, sprites, page, indexed)


def picture(seed: int, index: int) -> Image.Image:
    """Picture number ``index`` of the series ``seed``: of mode RGB, RGBA, L or P."""
    return KINDS[index % len(KINDS)](np.random.default_rng((seed, index)))
