"""Hair: a cap of short hair, or long hair that falls to the shoulders and the chest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from audit.demo.canvas import HAIR, Canvas, Colour, Field, Frame, Light, Mask, Points, curve, noise, stretch

COLOURS = (
    (30, 24, 24), (44, 32, 28), (62, 42, 30), (86, 56, 36), (118, 78, 48), (160, 118, 74), (200, 164, 112),
    (122, 56, 34),
)  # fmt: skip
"""From black over brown to blond, and red."""

GREYS = ((138, 134, 132), (186, 182, 178))


@dataclass(frozen=True)
class Hair:
    """How the hair of one head is cut, in head units."""

    long: bool
    colour: Colour
    lift: float
    """How far it stands off the crown."""
    part: float
    """Where it is parted, left (-) to right (+)."""
    line: float
    """Height of the hairline at the middle of the forehead (v)."""
    recess: float
    """How far the corners of the forehead have receded."""
    wave: float
    """0 straight .. 1 curly."""
    length: float
    """v of the tips of long hair: shoulders at about 1.5, chest at about 2.5."""
    volume: float
    """How far long hair stands off the cheeks."""
    fringe: bool
    combed: bool
    """Strands run around the face, from the parting to the sides; else from the crown to the brow."""
    behind: int
    """The side (-1 left, 1 right) on which long hair falls behind the shoulder; 0 for neither."""


def random_hair(rng: np.random.Generator, long: bool, colour: Colour) -> Hair:
    """A cut drawn at random for a given length and colour."""
    fringe = bool(rng.random() < 0.25)
    wave = rng.choice([0.0, 0.15, 0.5, 1.0], p=[0.3, 0.35, 0.2, 0.15])
    return Hair(
        long=long,
        colour=colour * rng.uniform(0.9, 1.12),
        lift=rng.uniform(0.08, 0.15) + 0.07 * wave if long else rng.uniform(0.03, 0.14) + 0.05 * wave,
        part=rng.uniform(-0.34, 0.34),
        line=rng.uniform(-0.70, -0.56),
        recess=float(rng.beta(1, 3)) * 0.16,
        wave=wave,
        length=rng.uniform(1.55, 2.45),
        volume=rng.uniform(0.0, 0.12) + 0.10 * wave,
        fringe=fringe,
        combed=not fringe and bool(long or rng.random() < 0.5),
        behind=int(rng.choice([-1, 0, 0, 0, 1])),
    )


class HairPainter:
    """Paints the hair of one head, whose contour is ``width`` wide and turned by ``yaw``."""

    def __init__(
        self, canvas: Canvas, frame: Frame, hair: Hair, width: float, yaw: float, light: Light, rng: np.random.Generator
    ) -> None:
        self.canvas, self.frame, self.hair, self.light, self.rng = canvas, frame, hair, light, rng
        self.width, self.yaw = width, yaw
        self._strands = rng.standard_normal((3, 1024), np.float32)
        self._phase = rng.uniform(0, 6.3)

    def paint_back(self) -> None:
        """The hair behind neck and shoulders; nothing for short hair."""
        if not self.hair.long:
            return
        out = self.width + 0.08 + self.hair.volume
        tip = min(self.hair.length, 2.0) - 0.2
        half = [
            (0.0, -0.9), (out * 0.7, -0.75), (out * 0.95, -0.2), (out, 0.5), (out * 1.02, tip - 0.5), (out * 0.85, tip),
            (0.3, tip + 0.04), (0.0, tip),
        ]  # fmt: skip
        outline = np.vstack([half, np.array(half[-2:0:-1]) * [-1, 1]])
        self._paint(self._wavy(curve(outline, steps=12)), depth=0.58)

    def paint_front(self, face: Mask) -> None:
        """The hair over forehead, temples and shoulders, and its shadow on the face."""
        shapes = self._long() if self.hair.long else [self._cap()]
        cover = self.canvas.mask(*(self.frame.place(shape) for shape in shapes))
        unit = self.frame.unit
        shadow = cover.moved(-0.03 * unit * self.light.x, 0.05 * unit, 0.04 * unit).within(face)
        self.canvas.fill(shadow, (34, 18, 14), 0.42)
        for shape in shapes:
            self._paint(shape, depth=1.0)

    def _outside(self, side: int, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Points of the contour on one side, given for the right of a head that looks straight ahead."""
        return [(side * u + 0.10 * self.yaw, v) for u, v in points]

    def _inside(self, side: int, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Points on the face, which move further than the contour when the head turns."""
        moved = []
        for u, v in points:
            turn = 0.62 * self.yaw * max(1 - (u / 0.95) ** 2 - (v / 1.3) ** 2, 0.1) ** 0.5
            moved.append((side * min(u + side * turn, self.width * 0.97), v))
        return moved

    def _crown(self, side: int) -> list[tuple[float, float]]:
        lift, w = self.hair.lift, self.width
        top = -0.97 - lift
        return self._outside(
            side, [(0.34, top + 0.04), (0.60 + lift * 0.5, -0.72 - lift * 0.6), (w + lift * 0.7, -0.34)]
        )

    def _cap(self) -> Points:
        hair, w = self.hair, self.width
        burn = 0.10
        beside = [(w + 0.03 + 0.3 * hair.lift, -0.08), (w + 0.015, burn)]
        temple, corner = w * 0.82, hair.line - hair.recess
        inner = [
            (w * 0.96, burn + 0.03), (w * 0.92, -0.18), (temple * 1.01, -0.36), (temple * 0.84, corner + 0.06),
            (0.30, corner - 0.02),
        ]  # fmt: skip
        top = (0.10 * self.yaw, -0.98 - hair.lift)
        middle = (0.6 * self.yaw + hair.part * 0.4, hair.line + (0.10 if hair.fringe else -0.02))
        left = self._inside(-1, inner)
        outline = [
            *self._outside(-1, beside[::-1]), *self._crown(-1)[::-1], top, *self._crown(1), *self._outside(1, beside),
            *self._inside(1, inner), middle, *left[::-1],
        ]  # fmt: skip
        return self._wavy(curve(outline, steps=14))

    def _long(self) -> list[Points]:
        part = self.hair.part + 0.5 * self.yaw
        strands = [self._curtain(side, part) for side in (-1, 1)]
        return [*strands, self._fringe(part)] if self.hair.fringe else strands

    def _fringe(self, part: float) -> Points:
        w, low = self.width, -0.33
        right = [(w * 0.90, -0.12), (w * 0.84, -0.5)]
        edge = [(w * 0.6, low + 0.03), (0.2, low)]
        top = (part, -0.95 - self.hair.lift * 0.6)
        left = [*self._inside(-1, right), top, *self._inside(1, right[::-1])]
        return curve([*left, *self._inside(1, edge), *self._inside(-1, edge[::-1])], steps=10)

    def _curtain(self, side: int, part: float) -> Points:
        hair, w = self.hair, self.width
        behind = hair.behind == side
        out, tip = w + 0.09 + hair.volume, 1.30 if behind else hair.length
        crown = self._crown(side)
        if part * side > 0.2:
            crown = crown[1:]
        if behind:
            ends = [(out - 0.10, 1.0), (out - 0.20, tip)]
        else:
            ends = [(out + 0.05, 1.05), (out + 0.03, tip - 0.45), (out - 0.07, tip - 0.05), (out - 0.20, tip + 0.12),
                    (out - 0.33, tip - 0.02), (w * 0.72, tip - 0.45)]  # fmt: skip
        fall = [(out - 0.01, 0.05), (out + 0.01, 0.5), *ends, (w * 0.80, 0.95), (w * 0.90, 0.5)]
        cheek = [(w * 0.93, 0.05), (w * 0.90, -0.26), (w * 0.74, -0.50)]
        hairline = (part + 0.03 * side, hair.line - 0.08)
        top = (part, -0.98 - hair.lift)
        outline = [top, *crown, *self._outside(side, fall), *self._inside(side, cheek), hairline]
        return self._wavy(curve(outline, steps=12))

    def _wavy(self, points: Points) -> Points:
        """An outline with waves and curls; more of them further down and outside."""
        hair = self.hair
        u, v = points.T
        away = np.clip((v + 0.2) / 1.2, 0, 1) if hair.long else np.clip((-0.3 - v) / 0.4, 0, 1)
        swing = 0.05 * hair.wave * away * np.sin(7.5 * v + self._phase) * np.sign(u)
        curls = 0.030 * max(hair.wave - 0.4, 0) * (away + 0.3)
        turn = np.arctan2(v, u)
        bumps = curls * (np.sin(17 * turn + self._phase) + np.sin(29 * turn) + 0.7 * np.sin(9 * v * 3 + 1))
        return np.asarray(points + np.stack([swing + bumps * np.cos(turn), bumps * np.sin(turn)], 1))

    def _paint(self, shape: Points, depth: float) -> None:
        mask = self.canvas.mask(self.frame.place(shape), blur=0.026 * self.frame.unit)
        u, v = self.frame.grid(mask.box)
        strands = self._strand(u, v)
        mask = self._frayed(mask, strands, v)
        self.canvas.fill(mask, self.hair.colour * depth, part=HAIR)
        factor = np.clip(self._form(u, v) + strands, 0.25, 1.9)
        self.canvas.relight(mask, factor, self._gloss(u, v, factor) * np.float32(depth))

    def _frayed(self, mask: Mask, strands: Field, v: Field) -> Mask:
        """A soft mask made crisp again, strand by strand: edges across the strands end in tips."""
        bias = 0.65 * 5 * strands - 2.0
        soft = np.asarray(mask.coverage, np.float32) * np.float32(5 / 255)
        crisp = np.clip(soft + stretch(bias, mask.coverage.size), 0, 1) * (soft > 0.15)
        if self.hair.long:
            ends = np.clip((self.hair.length + 0.9 * strands - v) / 0.05, 0, 1)
            crisp *= stretch(ends, mask.coverage.size)
        return Mask(Image.fromarray((crisp * 255).astype(np.uint8)), mask.box)

    def _strand(self, u: Field, v: Field) -> Field:
        """Brightness of the strands, mean 0: they leave the parting, follow the skull, and then hang."""
        hair = self.hair
        swing = 0.05 * hair.wave * np.sin(7.5 * v + self._phase) * np.clip(v + 0.4, 0, 1) * np.sign(u)
        if hair.combed:
            part = (hair.part + 0.5 * self.yaw) * np.clip(-v, 0, 1)
            across = np.hypot((u - part - swing) / 0.95, np.minimum(v, 0) / 1.05)
        else:
            spread = 0.30 + 0.70 * np.clip((v + 1.1) / 1.1, 0.02, 1) ** 0.6
            across = (u - hair.part * np.clip(-v, 0, 1) - swing) / spread
        if hair.wave > 0.4:
            lag = noise(self.rng, (9, 7), u.shape[::-1])
            across = across + np.float32(0.022 * hair.wave) * np.sin(15 * v + 2.2 * lag + 9 * u)
        total = np.zeros(u.shape, np.float32)
        for row, frequency, weight in zip(self._strands, (130, 56, 17), (0.06, 0.08, 0.09), strict=True):
            at = across * np.float32(frequency)
            low = np.floor(at)
            index = low.astype(np.int32) % len(row)
            total += np.float32(weight) * (row[index] + (at - low) * np.diff(row, append=row[:1])[index])
        return total

    def _form(self, u: Field, v: Field) -> Field:
        """Brightness of the hair as a body."""
        part = np.abs(u - self.hair.part - 0.5 * self.yaw) / 0.035
        line = 0.35 * self.hair.combed * np.exp(-(part**2)) * np.clip((-0.55 - v) * 4, 0, 1)
        form = 1.06 - 0.34 * np.clip((np.abs(u) - 0.45) / 0.55, 0, 1) ** 2 + 0.16 * self.light.x * u
        under = 1 - 0.30 * np.clip((v - 0.4) / 0.6, 0, 1) * np.clip(1.0 - np.abs(u), 0, 0.5) * 2
        return np.asarray(form * under - line, np.float32)

    def _gloss(self, u: Field, v: Field, texture: Field) -> Field:
        ring = np.exp(-(((v + 0.70 - 0.32 * u * u - 0.10 * self.light.x * u) / 0.14) ** 2))
        wave = np.exp(-(((v - 0.95) / 0.28) ** 2)) * 0.45 if self.hair.long else 0.0
        facing = np.clip(1 + 0.9 * self.light.x * u, 0.2, 2)
        strength = (ring + wave) * facing * np.clip(texture - 0.62, 0, 1) * (1 - 0.55 * self.hair.wave)
        shine = 22 + 0.36 * self.hair.colour
        return np.asarray(strength[..., None] * shine, np.float32)
