"""Neck, torso and what is worn: white coats over shirts, scrubs, stethoscopes, badges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from audit.demo.canvas import (
    CLOTHING,
    SKIN,
    Canvas,
    Colour,
    Field,
    Frame,
    Light,
    Mask,
    Points,
    curve,
    ellipse,
    mirrored,
    mix,
    noise,
    ribbon,
)

SCRUBS = (
    (38, 92, 128), (30, 110, 116), (58, 132, 96), (108, 62, 116), (150, 52, 74), (64, 84, 150), (96, 156, 176),
    (172, 108, 136),
)  # fmt: skip
PALE_SCRUBS = ((206, 222, 232), (214, 226, 216), (232, 226, 222))
SHIRTS = (
    (214, 226, 240), (240, 240, 238), (168, 192, 222), (206, 190, 208), (84, 104, 140), (60, 64, 74), (222, 214, 190),
)  # fmt: skip
TIES = ((120, 32, 40), (34, 52, 98), (40, 84, 70), (92, 60, 110), (46, 46, 50), (168, 120, 48))
WHITES = ((236, 237, 239), (240, 238, 233), (230, 234, 240))
PALE_BLUE_COAT = (196, 214, 232)


@dataclass(frozen=True)
class Outfit:
    """What one person wears. ``kind`` is coat, blue_coat (open over a shirt), scrub_coat (open over scrubs), scrubs,
    pale_scrubs or jacket (short and white)."""

    kind: str
    main: Colour
    inner: Colour
    tie: Colour | None
    stethoscope: bool
    watch: bool
    badge: bool
    build: float
    """Width of the shoulders, 1 is average."""


def random_outfit(rng: np.random.Generator, kind: str, stethoscope: bool) -> Outfit:
    """Colours and details drawn at random for a kind of outfit."""
    scrubs = SCRUBS[int(rng.integers(len(SCRUBS)))]
    main = {
        "scrubs": scrubs,
        "pale_scrubs": PALE_SCRUBS[int(rng.integers(len(PALE_SCRUBS)))],
        "blue_coat": PALE_BLUE_COAT,
    }.get(kind, WHITES[int(rng.integers(len(WHITES)))])
    shirt = SHIRTS[int(rng.integers(len(SHIRTS)))]
    tie = TIES[int(rng.integers(len(TIES)))] if rng.random() < 0.4 else None
    return Outfit(
        kind=kind,
        main=np.array(main, float) * rng.uniform(0.95, 1.04),
        inner=np.array(scrubs if kind in ("scrub_coat", "jacket") else shirt, float),
        tie=np.array(tie, float) if tie and kind in ("coat", "blue_coat") else None,
        stethoscope=stethoscope,
        watch=kind in ("scrubs", "pale_scrubs", "jacket") and bool(rng.random() < 0.35),
        badge=bool(rng.random() < 0.4),
        build=rng.uniform(0.92, 1.08),
    )


class ClothesPainter:
    """Paints neck and clothes. ``frame`` is the body's: origin at the pit of the neck, same unit as the head."""

    def __init__(
        self, canvas: Canvas, frame: Frame, outfit: Outfit, skin: Colour, light: Light, rng: np.random.Generator
    ) -> None:
        self.canvas, self.frame, self.outfit, self.skin, self.light, self.rng = canvas, frame, outfit, skin, light, rng
        b = outfit.build
        half = [(0.0, -0.42), (0.42, -0.38), (0.66, -0.18), (1.05 * b, 0.00), (1.36 * b, 0.15), (1.58 * b, 0.46),
                (1.67 * b, 1.1), (1.74 * b, 2.0), (1.8 * b, 3), (1.74 * b, 4.2), (1.7 * b, 6.5), (0, 6.5)]  # fmt: skip
        self.torso = canvas.mask(frame.place(curve(mirrored(half), steps=10)))

    def paint_neck(self, head: Frame) -> None:
        """The neck from the jaw to the collar, with the shadow that the head throws."""
        top, w = 0.35, 0.36
        jaw = head.place([(-w, top), (w, top)])
        half = np.array([(0.39, -0.40), (0.55, -0.14), (0.7, 0.5), (0, 0.95)])
        base = self.frame.place(curve(np.vstack([half, half[-2::-1] * [-1, 1]]), closed=False))
        mask = self.canvas.mask(np.vstack([jaw, base]))
        self.canvas.fill(mask, self.skin, part=SKIN)
        u, v = self.frame.grid(mask.box, step=4)
        diffuse, _ = self.light.on(_neck_relief(u, v), self.frame.unit / 4)
        side = u + 0.16 * self.light.x
        chin = 1 / (1 + np.exp((v + 0.24 + 0.5 * side * side) / 0.07))
        bright = (0.28 + 0.78 * diffuse) * (1 - 0.58 * chin)
        factor = bright[..., None] ** np.array([0.86, 1.06, 1.14], np.float32) * self.light.tint
        self.canvas.relight(mask, factor.astype(np.float32))

    def paint(self) -> None:
        """Everything below the neck."""
        kind = self.outfit.kind
        if kind in ("scrubs", "pale_scrubs"):
            self._scrubs(self.outfit.main)
        elif kind == "jacket":
            self._jacket()
        else:
            self._inner()
            self._coat()
        if self.outfit.badge:
            self._badge()
        if self.outfit.watch:
            self._watch()
        if self.outfit.stethoscope:
            self._stethoscope()

    def _put(self, *outlines: ArrayLike, blur: float = 0.8) -> Mask:
        return self.canvas.mask(*(self.frame.place(outline) for outline in outlines), blur=blur)

    def _px(self, units: float) -> float:
        return units * self.frame.unit

    def _line(self, points: list[tuple[float, float]], width: float, colour: ArrayLike, opacity: float = 0.5) -> None:
        mask = self._put(ribbon(points, width), blur=self._px(width * 0.35) + 0.5)
        self.canvas.fill(mask.within(self.torso), colour, opacity)

    def _cloth(self, mask: Mask, colour: Colour, folds: float = 1.0) -> None:
        """Fill with cloth and light it: a rounded trunk, arms, folds that hang and folds that pull from the armpits."""
        self.canvas.fill(mask, colour, part=CLOTHING)
        u, v = self.frame.grid(mask.box, step=4)
        hang, pull, weave = (noise(self.rng, cells, u.shape[::-1]) for cells in ((14, 4), (9, 9), (26, 12)))
        height = _torso_relief(u, v, self.outfit.build)
        height += np.float32(folds) * (0.040 * hang * np.clip(v / 2, 0.15, 1) + 0.036 * pull + 0.008 * weave)
        diffuse, _ = self.light.on(height, self.frame.unit / 4, wrap=0.55)
        bright = np.clip(0.34 + 0.70 * diffuse, 0, 1.06)
        cool = np.array([1.04, 1.0, 0.95], np.float32)
        self.canvas.relight(mask, (bright[..., None] ** cool * self.light.tint).astype(np.float32))

    def _throat(self, depth: float, width: float = 0.52) -> Points:
        return np.array([(-width, -0.5), (-width * 0.80, 0.05), (0.0, depth), (width * 0.80, 0.05), (width, -0.5)])

    def _scrubs(self, colour: Colour) -> None:
        depth = float(self.rng.uniform(0.62, 0.82))
        body = self.torso.without(self._put(self._throat(depth)))
        if self.rng.random() < 0.3:
            self._cloth(self.torso.without(self._put(self._throat(0.25, 0.46))), np.array((232, 232, 230.0)), 0.5)
        self._cloth(body, colour)
        for side in (-1, 1):
            band = [(side * 0.56, -0.44), (side * 0.46, 0.05), (0.0, depth + 0.05)]
            self._line(band, 0.12, colour * 0.80, 0.55)
            self._line([(u + 0.05 * side, v + 0.06) for u, v in band], 0.02, colour * 0.55, 0.6)
            self._line(_on(side, [(1.08, -0.02), (1.24, 0.45), (1.25, 1.1)]), 0.022, colour * 0.55, 0.55)
        self._pocket(1 if self.outfit.badge else int(self.rng.choice([-1, 1])), colour)

    def _pocket(self, side: int, colour: Colour) -> None:
        x, y = side * 0.78, 1.32
        frame = [(x - 0.30, y), (x - 0.30, y + 0.62), (x, y + 0.72), (x + 0.30, y + 0.62), (x + 0.30, y)]
        self._line(frame, 0.022, colour * 0.6, 0.6)
        self._line([frame[0], frame[-1]], 0.035, colour * 0.6, 0.7)
        self._line([(x - 0.3, y + 0.06), (x + 0.3, y + 0.06)], 0.012, colour * 0.7, 0.5)
        if not self.outfit.watch and self.rng.random() < 0.6:
            for shift, ink in ((-0.08, (40, 60, 130)), (0.06, (150, 40, 40))):
                self._solid([(x + shift, y - 0.2), (x + shift, y + 0.05)], 0.05, ink)

    def _solid(self, points: list[tuple[float, float]], width: float, colour: ArrayLike) -> None:
        self.canvas.fill(self._put(ribbon(points, width)), np.asarray(colour) * 0.95, part=CLOTHING)

    def _jacket(self) -> None:
        colour, piping = self.outfit.main, self.outfit.inner
        self._cloth(self.torso.without(self._put(self._throat(0.34, 0.50))), colour)
        for side in (-1, 1):
            collar = [(0.55, -0.42), (0.60, -0.05), (0.30, 0.42), (0.02, 0.36), (0.36, 0.0)]
            self._flap(_on(side, collar), colour * 1.01)
            self._line([(side * 0.60, -0.03), (side * 0.31, 0.41)], 0.05, piping, 0.9)
            self._line(_on(side, [(1.08, -0.02), (1.24, 0.45), (1.25, 1.1)]), 0.022, colour * 0.6, 0.5)
        self._line([(0.16, 0.42), (0.17, 2.0), (0.17, 6.0)], 0.025, colour * 0.6, 0.6)
        for row in range(7):
            self._button(0.04, 0.75 + 0.55 * row, colour * 0.8)
        self._pocket(1, colour)

    def _inner(self) -> None:
        outfit = self.outfit
        if outfit.kind == "scrub_coat":
            self._scrubs(outfit.inner)
            return
        depth = 0.10 if outfit.tie is not None else float(self.rng.uniform(0.35, 0.6))
        self._cloth(self.torso.without(self._put(self._throat(depth, 0.47))), outfit.inner, 0.6)
        self._line([(0.0, depth), (0.01, 2.0), (0.0, 6.0)], 0.02, outfit.inner * 0.62, 0.6)
        if outfit.tie is not None:
            self._tie(outfit.tie)
        else:
            for row in range(6):
                self._button(0.0, depth + 0.25 + 0.5 * row, outfit.inner * 0.75)
        for side in (-1, 1):
            tip = (0.26, max(depth, 0.2) + 0.14)
            collar = [(0.45, -0.46), (0.50, -0.10), tip, (0.03, depth - 0.02), (0.36, -0.16)]
            self._flap(_on(side, collar), outfit.inner * 1.04)

    def _tie(self, colour: Colour) -> None:
        self._cloth(self._put([(-0.10, 0.22), (0.10, 0.22), (0.20, 2.2), (0.0, 2.6), (-0.20, 2.2)]), colour, 0.4)
        self._cloth(self._put([(-0.13, 0.06), (0.13, 0.06), (0.09, 0.28), (-0.09, 0.28)]), colour * 1.1, 0.3)
        if self.rng.random() < 0.5:
            for row in range(8):
                y = 0.38 + 0.26 * row
                self._line([(-0.14, y + 0.1), (0.14, y - 0.06)], 0.035, mix(colour, (255, 255, 255), 0.5), 0.6)

    def _flap(self, outline: list[tuple[float, float]], colour: Colour) -> None:
        """A piece of cloth that lies on another: its shadow, then itself."""
        mask = self._put(outline).within(self.torso)
        unit = self.frame.unit
        shadow = mask.moved(-0.02 * unit * self.light.x, 0.035 * unit, 0.03 * unit).within(self.torso)
        self.canvas.fill(shadow, (30, 34, 44), 0.42)
        self._cloth(mask, np.clip(colour, 0, 250), 0.35)

    def _coat(self) -> None:
        colour = self.outfit.main
        gap = float(self.rng.uniform(0.20, 0.42))
        hole = self._put(mirrored([(0.55, -0.6), (0.50, 0.0), (gap * 0.8, 1.55), (gap, 2.6), (gap + 0.25, 6.6)]))
        coat = self.torso.without(hole)
        shadow = coat.moved(0.0, 0.03 * self.frame.unit, 0.05 * self.frame.unit).within(self.torso)
        self.canvas.fill(shadow.within(hole), (24, 26, 36), 0.5)
        self._cloth(coat, colour)
        for side in (-1, 1):
            notch = [(0.92, 0.52), (0.70, 0.60), (0.86, 0.80)]
            lapel = [(0.50, -0.44), (0.72, -0.16), *notch, (gap * 0.8 + 0.06, 1.75), (gap * 0.8, 1.5), (0.46, 0.05)]
            self._flap(_on(side, lapel), colour * 1.02)
            self._line(_on(side, notch), 0.02, colour * 0.55, 0.55)
            self._line(_on(side, [(1.09, 0.0), (1.25, 0.45), (1.26, 1.1)]), 0.022, colour * 0.6, 0.5)
        for row in range(3):
            self._button(gap + 0.12, 2.1 + 0.6 * row, colour * 0.75)
        self._pocket(1, colour)

    def _button(self, x: float, y: float, colour: Colour) -> None:
        self.canvas.fill(self._put(ellipse(x + 0.01, y + 0.015, 0.045, 0.045), blur=self._px(0.015)), colour * 0.6, 0.5)
        self.canvas.fill(self._put(ellipse(x, y, 0.035, 0.035)), colour)

    def _badge(self) -> None:
        x, y = -0.80, 1.15
        card = np.array([(x - 0.2, y), (x + 0.2, y), (x + 0.2, y + 0.28), (x - 0.2, y + 0.28)])
        self.canvas.fill(self._put(card + np.array([0.015, 0.03]), blur=self._px(0.02)), (20, 20, 30), 0.35)
        self.canvas.fill(self._put(card), (244, 245, 246), part=CLOTHING)
        self.canvas.fill(self._put(card * (1, 0.3) + np.array([0, 0.7 * y])), (60, 110, 170))
        for row in (0.14, 0.20):
            self._line([(x - 0.13, y + row), (x + 0.10, y + row)], 0.02, (90, 95, 105), 0.7)

    def _watch(self) -> None:
        x, y = 0.62, 0.92
        self._solid([(x, y), (x, y + 0.22)], 0.09, (120, 124, 130))
        self.canvas.fill(self._put(ellipse(x, y + 0.33, 0.125, 0.125)), (150, 154, 160), part=CLOTHING)
        self.canvas.fill(self._put(ellipse(x, y + 0.33, 0.095, 0.095)), (246, 246, 242))
        self._line([(x, y + 0.33), (x, y + 0.26)], 0.015, (20, 20, 20), 1)
        self._line([(x, y + 0.33), (x + 0.05, y + 0.35)], 0.015, (20, 20, 20), 1)

    def _stethoscope(self) -> None:
        tube = np.array(((34, 36, 42), (30, 44, 84), (96, 28, 44), (24, 74, 78))[int(self.rng.integers(4))], float)
        side = int(self.rng.choice([-1, 1]))
        y = float(self.rng.uniform(1.5, 2.1))
        long = [(side * 0.38, -0.46), (side * 0.56, -0.16), (side * 0.65, 0.25), (side * 0.60, 0.9), (side * 0.55, y)]
        short = [
            (-side * 0.38, -0.46),
            (-side * 0.56, -0.16),
            (-side * 0.64, 0.25),
            (-side * 0.58, 0.8),
            (-side * 0.44, 1.25),
        ]
        ears = [
            _on(-side, [(0.44, 1.25), *ends]) for ends in (((0.54, 1.5), (0.52, 1.72)), ((0.36, 1.5), (0.40, 1.72)))
        ]
        for line in (long, short):
            self._tube(line, 0.085, tube)
        for line in ears:
            self._tube(line, 0.045, np.array((168, 172, 178.0)))
        for line in ears:
            self.canvas.fill(self._put(ellipse(*line[-1], 0.04, 0.05)), (28, 28, 30), part=CLOTHING)
        self._disc(side * 0.55, y + 0.12)

    def _tube(self, line: list[tuple[float, float]], width: float, colour: Colour) -> None:
        shadow = self._put(ribbon(line, width * 1.1), blur=self._px(0.03)).moved(0, 0.03 * self.frame.unit, 1.0)
        self.canvas.fill(shadow.within(self.torso), (16, 18, 26), 0.45)
        self.canvas.fill(self._put(ribbon(line, width)).within(self.torso), colour, part=CLOTHING)
        bright = [(u - 0.018 * np.sign(-self.light.x), v) for u, v in line]
        glint = self._put(ribbon(bright, width * 0.3), blur=self._px(0.01)).within(self.torso)
        self.canvas.fill(glint, mix(colour, (255, 255, 255), 0.5), 0.55)

    def _disc(self, x: float, y: float) -> None:
        self.canvas.fill(self._put(ellipse(x + 0.01, y + 0.04, 0.17, 0.17), blur=self._px(0.035)), (16, 18, 26), 0.45)
        for radius, shade in ((0.155, 120), (0.14, 196), (0.105, 228), (0.09, 206)):
            self.canvas.fill(self._put(ellipse(x, y, radius, radius)), (shade - 4, shade, shade + 5), part=CLOTHING)
        glint = ellipse(x - 0.04, y - 0.05, 0.05, 0.03)
        self.canvas.fill(self._put(glint, blur=self._px(0.02)), (255, 255, 255), 0.7)


def _on(side: int, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points given for the right (1), on either side."""
    return [(side * u, v) for u, v in points]


def _neck_relief(u: Field, v: Field) -> Field:
    """A column with its two muscles and the collarbones."""
    height = 0.5 * np.sqrt(np.clip(1 - (u / (0.48 + 0.25 * np.clip(v + 0.3, 0, 1))) ** 2, 0.02, 1))
    height *= np.clip(1 - v * 0.4, 0.5, 1)
    height += 0.05 * np.exp(-(((np.abs(u) - 0.25 + 0.2 * v) / 0.07) ** 2)) * np.clip(0.3 - v, 0, 1)
    height += 0.04 * np.exp(-(((v - 0.16 - 0.12 * u * u) / 0.06) ** 2))
    return np.asarray(height, np.float32)


def _torso_relief(u: Field, v: Field, build: float) -> Field:
    """A rounded trunk, a chest, two arms and the creases between."""
    side = np.abs(u)
    height = 0.9 * np.sqrt(np.clip(1 - (u / (1.62 * build)) ** 2, 0.03, 1))
    height += 0.28 * np.exp(-(((side - 1.48 * build) / 0.22) ** 2))
    height += 0.10 * np.exp(-(((side - 0.62) / 0.42) ** 2) - ((v - 1.35) / 0.55) ** 2)
    height -= 0.16 * np.exp(-(((side - 1.24 * build - 0.01 * v) / 0.06) ** 2)) * np.clip((v - 0.8) * 1.5, 0, 1)
    return np.asarray(height, np.float32)
