"""Shapes, soft masks, relief shading and noise: what a portrait is painted with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SCALE = 2
"""Pictures are painted this many times larger than they are saved."""

BACKGROUND, SKIN, CLOTHING, HAIR = 0, 80, 160, 240
"""What a painted pixel shows, as stored in ``Canvas.parts``."""

_HARD = [0] * 128 + [255] * 128

Points = NDArray[np.float64]
Field = NDArray[np.float32]
Colour = NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Frame:
    """Coordinates of a head or a body: origin in canvas pixels, length of one unit in pixels, turn in radians.

    ``u`` grows to the right and ``v`` downwards. A head is two units high: crown at v = -1, eyes at 0, chin at 1.
    """

    x: float
    y: float
    unit: float
    angle: float = 0.0

    def place(self, points: ArrayLike) -> Points:
        """Local points, shape (n, 2), as canvas pixels."""
        u, v = np.asarray(points, float).T * self.unit
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return np.stack([self.x + u * cos - v * sin, self.y + u * sin + v * cos], axis=1)

    def grid(self, box: Box, step: int = SCALE) -> tuple[Field, Field]:
        """Local ``u`` and ``v`` of every ``step``-th pixel of a box of the canvas, each (rows, columns) float32."""
        x = (np.arange(box[0], box[2], step, dtype=np.float32) - self.x + (step - 1) / 2) / self.unit
        y = (np.arange(box[1], box[3], step, dtype=np.float32) - self.y + (step - 1) / 2) / self.unit
        cos, sin = np.float32(math.cos(self.angle)), np.float32(math.sin(self.angle))
        return x * cos + y[:, None] * sin, y[:, None] * cos - x * sin


@dataclass(frozen=True)
class Light:
    """A lamp: direction towards it (x right, y down, z to the viewer), strength of the fill light, colour."""

    x: float
    y: float
    z: float
    ambient: float = 0.5
    tint: Colour = field(default_factory=lambda: np.ones(3))

    def on(self, height: Field, pixels_per_unit: float, wrap: float = 0.35) -> tuple[Field, Field]:
        """Diffuse and specular brightness of a relief, both shaped like ``height``; diffuse is 1 when fully lit.

        ``wrap`` lets light reach past the terminator, as it does in skin and cloth.
        """
        down, right = np.gradient(height * np.float32(pixels_per_unit))
        length = np.sqrt(1 + down**2 + right**2)
        norm = math.sqrt(self.x**2 + self.y**2 + self.z**2)
        facing = (self.z - self.x * right - self.y * down) / (length * norm)
        diffuse = self.ambient + (1 - self.ambient) * np.clip((facing + wrap) / (1 + wrap), 0, None)
        half = math.sqrt(self.x**2 + self.y**2 + (self.z + norm) ** 2)
        shine = np.clip((self.z + norm - self.x * right - self.y * down) / (length * half), 0, 1)
        return diffuse.astype(np.float32), (shine**24).astype(np.float32)


@dataclass(frozen=True)
class Mask:
    """A soft area: 8-bit coverage of the pixels in ``box``, nothing outside."""

    coverage: Image.Image
    box: Box

    def within(self, other: "Mask") -> "Mask":
        """The part of this mask that ``other`` covers, too."""
        x, y = other.box[:2]
        inside = other.coverage.crop((self.box[0] - x, self.box[1] - y, self.box[2] - x, self.box[3] - y))
        return Mask(ImageChops.multiply(self.coverage, inside), self.box)

    def without(self, other: "Mask") -> "Mask":
        """The part of this mask that ``other`` leaves free."""
        remaining = ImageChops.subtract(self.coverage, self.within(other).coverage)
        return Mask(remaining, self.box)

    def moved(self, x: float, y: float, blur: float) -> "Mask":
        """The mask shifted by whole pixels and blurred: the shadow of what it covers."""
        pad = math.ceil(2.5 * blur)
        width, height = self.coverage.size
        wider = self.coverage.crop((-pad, -pad, width + pad, height + pad))
        left, top = self.box[0] + round(x) - pad, self.box[1] + round(y) - pad
        box = (left, top, left + wider.width, top + wider.height)
        return Mask(softened(wider, blur), box)


class Canvas:
    """An image under the brush: ``image`` (RGB) and ``parts`` (what each pixel shows), SCALE times the final size."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.parts = Image.new("L", image.size, BACKGROUND)

    def mask(self, *outlines: Points, blur: float = 0.8) -> Mask:
        """The union of polygons given in canvas pixels, softened by ``blur`` pixels."""
        pad = math.ceil(2.5 * blur) + 1
        corners = np.concatenate(outlines)
        low, high = np.floor(corners.min(0)) - pad, np.ceil(corners.max(0)) + pad
        width, height = self.image.size
        x0, y0 = max(int(low[0]), -pad), max(int(low[1]), -pad)
        x1, y1 = max(min(int(high[0]), width + pad), x0 + 1), max(min(int(high[1]), height + pad), y0 + 1)
        coverage = Image.new("L", (x1 - x0, y1 - y0))
        draw = ImageDraw.Draw(coverage)
        for outline in outlines:
            draw.polygon([(x - x0, y - y0) for x, y in outline.tolist()], fill=255)
        if blur:
            coverage = softened(coverage, blur)
        return Mask(coverage, (x0, y0, x1, y1))

    def fill(self, mask: Mask, colour: ArrayLike, opacity: float = 1.0, part: int | None = None) -> None:
        """Lay a flat colour (0..255) over the masked area."""
        red, green, blue = np.clip(np.asarray(colour, float), 0, 255).round().astype(int).tolist()
        coverage = mask.coverage if opacity >= 1 else _faded(mask.coverage, opacity)
        self.image.paste((red, green, blue), mask.box, coverage)
        if part is not None:
            self.parts.paste(part, mask.box, mask.coverage.point(_HARD))

    def relight(self, mask: Mask, factor: Field, glow: Field | None = None) -> None:
        """Multiply what is painted under the mask by ``factor``, then add ``glow`` (0..255).

        Both have shape (rows, columns) or (rows, columns, 3) and are stretched over the mask's box.
        """
        size = mask.coverage.size
        pixels = np.asarray(self.image.crop(mask.box), np.float32) * _channels(stretch(factor, size))
        if glow is not None:
            pixels += _channels(stretch(glow, size))
        lit = Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))
        self.image.paste(lit, mask.box, mask.coverage)

    def finished(self) -> Image.Image:
        """The image at its final size."""
        return self.image.reduce(SCALE)


def softened(coverage: Image.Image, blur: float) -> Image.Image:
    """An 8-bit mask blurred by a Gaussian of ``blur`` pixels."""
    # Pillow's time does not depend on the radius, OpenCV's grows with it and starts lower: each where it is faster.
    if blur > 2.5 or coverage.width * coverage.height < 10_000:
        return coverage.filter(ImageFilter.GaussianBlur(blur))
    return Image.fromarray(cv2.GaussianBlur(np.asarray(coverage), (0, 0), blur))


def _channels(field: Field) -> Field:
    return field if field.ndim == 3 else field[..., None]


def _faded(coverage: Image.Image, opacity: float) -> Image.Image:
    return Image.blend(Image.new("L", coverage.size), coverage, opacity)


def stretch(values: Field, size: tuple[int, int]) -> Field:
    """Resize a field of shape (rows, columns) or (rows, columns, 3) to ``size`` (width, height), smoothly."""
    if values.shape[1::-1] == size:
        return values
    return np.asarray(cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)


def noise(rng: np.random.Generator, cells: tuple[int, int], size: tuple[int, int]) -> Field:
    """Smooth noise of mean 0 and deviation about 1: ``cells`` (columns, rows) of it over ``size`` (width, height)."""
    coarse = rng.standard_normal(cells[::-1], np.float32)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)


@cache
def _hermite(steps: int) -> NDArray[np.float64]:
    t = np.linspace(0, 1, steps, endpoint=False)
    return np.stack([2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, 3 * t**2 - 2 * t**3, t**3 - t**2])


def curve(points: Sequence[Sequence[float]] | Points, closed: bool = True, steps: int = 8) -> Points:
    """A smooth line through points (Catmull-Rom), ``steps`` points for each one given."""
    knots = np.asarray(points, float)
    before, after = (
        (np.roll(knots, 1, 0), np.roll(knots, -1, 0))
        if closed
        else (np.vstack([knots[:1], knots[:-1]]), np.vstack([knots[1:], knots[-1:]]))
    )
    slopes = (after - before) / 2
    ends = np.roll(knots, -1, 0) if closed else knots[1:]
    starts, out, into = (knots, slopes, np.roll(slopes, -1, 0)) if closed else (knots[:-1], slopes[:-1], slopes[1:])
    weights = _hermite(steps)
    smooth = np.einsum("wt,wkc->ktc", weights, np.stack([starts, out, ends, into])).reshape(-1, 2)
    return smooth if closed else np.vstack([smooth, knots[-1:]])


def ribbon(points: Sequence[Sequence[float]] | Points, width: float | Sequence[float], steps: int = 8) -> Points:
    """The outline of a smooth line with a width that may change from point to point."""
    line = curve(points, closed=False, steps=steps)
    widths = np.broadcast_to(np.asarray(width, float), len(points))
    at = np.interp(np.linspace(0, len(points) - 1, len(line)), np.arange(len(points)), widths)
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    half = across * at[:, None] / 2
    return np.vstack([line + half, (line - half)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float, points: int = 28) -> Points:
    """An ellipse as a polygon."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], 1)


def mirrored(points: Sequence[Sequence[float]]) -> Points:
    """The right half of an outline, top to bottom, completed by its mirror image to a closed outline."""
    right = np.asarray(points, float)
    left = right[::-1] * [-1, 1]
    keep = np.ones(len(left), bool)
    keep[0] = right[-1, 0] != 0
    keep[-1] = right[0, 0] != 0
    return np.vstack([right, left[keep]])


def mix(first: ArrayLike, second: ArrayLike, share: float) -> Colour:
    """``first`` with ``share`` of ``second`` in it."""
    return np.asarray(first, float) * (1 - share) + np.asarray(second, float) * share
