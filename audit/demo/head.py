"""Painting ears, face and glasses: flat first, then lit as a relief."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.demo.canvas import SKIN, Canvas, Field, Frame, Light, Mask, Points, curve, ellipse, mix, noise, ribbon
from audit.demo.face import Face, outline

_BUMPS = (
    (0.32, 0.00, 0.19, 0.12, -0.100),
    (0.31, 0.01, 0.12, 0.075, 0.055),
    (0.30, -0.21, 0.20, 0.075, 0.050),
    (0.43, 0.24, 0.20, 0.17, 0.075),
    (0.135, 0.405, 0.055, 0.06, 0.065),
    (0.31, 0.52, 0.07, 0.16, -0.035),
    (0.09, 0.925, 0.12, 0.09, 0.045),
    (0.27, 0.66, 0.06, 0.07, -0.03),
    (0.60, -0.28, 0.11, 0.20, -0.045),
    (0.30, -0.52, 0.26, 0.20, 0.030),
)
"""Relief of the right half of a face: centre (a, b), widths, height; mirrored for the left half."""

_MIDLINE = (
    (0.0, 0.355, 0.095, 0.085, 0.070),
    (0.0, 0.595, 0.17, 0.045, 0.040),
    (0.0, 0.715, 0.15, 0.050, 0.050),
    (0.0, 0.655, 0.21, 0.020, -0.030),
    (0.0, 0.805, 0.15, 0.040, -0.040),
    (0.0, 0.530, 0.03, 0.050, -0.018),
)


class FacePainter:
    """Paints one face on a canvas. ``frame`` is the head's."""

    def __init__(self, canvas: Canvas, frame: Frame, face: Face, light: Light, rng: np.random.Generator) -> None:
        self.canvas, self.frame, self.face, self.light, self.rng = canvas, frame, face, light, rng

    def paint(self) -> Mask:
        """Paint ears and face; returns the mask of the face."""
        canvas, face = self.canvas, self.face
        self._ears()
        mask = canvas.mask(self.frame.place(outline(face)))
        canvas.fill(mask, face.skin, part=SKIN)
        self._complexion(mask)
        self._age(mask)
        if face.beard:
            self._beard(mask)
        self._nostrils()
        self._mouth(mask)
        for side in (-1, 1):
            self._eye(side)
            self._brow(side)
        self._shade(mask)
        for side in (-1, 1):
            self._catchlight(side)
        return mask

    def at(self, points: ArrayLike) -> Points:
        """Canvas pixels of points on the face, given as if it looked straight ahead."""
        local = np.array(points, float)
        local[:, 0] += self._turn(local[:, 0], local[:, 1])
        return self.frame.place(local)

    def _turn(self, a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
        depth = 1 - (np.asarray(a) / 0.95) ** 2 - (np.asarray(b) / 1.3) ** 2
        return self.face.yaw * 0.62 * np.sqrt(np.clip(depth, 0.02, None))

    def _px(self, units: float) -> float:
        return max(units * self.frame.unit, 0.3)

    def _touch(
        self, points: Points, colour: ArrayLike, opacity: float, blur: float, within: Mask | None = None
    ) -> None:
        mask = self.canvas.mask(self.at(points), blur=self._px(blur))
        self.canvas.fill(mask.within(within) if within else mask, colour, opacity)

    def _ears(self) -> None:
        face, frame = self.face, self.frame
        for side in (-1, 1):
            hidden = 0.09 * side * face.yaw
            x = side * (face.width + 0.015) - hidden
            shape = [(x - 0.06 * side, -0.10), (x + 0.07 * side, -0.12), (x + 0.115 * side, 0.02),
                     (x + 0.075 * side, 0.2), (x + 0.03 * side, 0.34), (x - 0.05 * side, 0.34)]  # fmt: skip
            ear = self.canvas.mask(frame.place(curve(shape)))
            lit = 0.86 + 0.16 * side * self.light.x
            self.canvas.fill(ear, mix(face.skin, (190, 80, 60), 0.10) * lit, part=SKIN)
            inner = ribbon([(x + 0.01 * side, -0.05), (x + 0.07 * side, 0.0), (x + 0.03 * side, 0.2)], 0.045)
            shadow = self.canvas.mask(frame.place(inner), blur=self._px(0.02))
            self.canvas.fill(shadow.within(ear), face.skin * 0.55, 0.7)

    def _complexion(self, mask: Mask) -> None:
        face = self.face
        red = mix(face.skin, (205, 70, 60), 0.33)
        for side in (-1, 1):
            self._touch(ellipse(side * 0.42, 0.30, 0.16, 0.13), red, 0.5 * face.blush, 0.09, mask)
            self._touch(ellipse(side * 0.30, 0.11, 0.15, 0.035), face.skin * (0.66, 0.58, 0.6), 0.3, 0.03, mask)
        self._touch(ellipse(0, 0.38, 0.12 * face.nose, 0.07), red, 0.45 * face.blush, 0.05, mask)
        self._touch(ellipse(0, -0.5, 0.34, 0.15), mix(face.skin, (255, 225, 190), 0.25), 0.35, 0.12, mask)

    def _age(self, mask: Mask) -> None:
        face = self.face
        line = face.skin * (0.62, 0.52, 0.5)
        depth = 0.12 + 0.75 * face.age
        for side in (-1, 1):
            fold = [(side * 0.17, 0.40), (side * 0.265, 0.52), (side * 0.30, 0.68)]
            self._touch(ribbon(fold, (0.008, 0.028, 0.006)), line, 0.55 * depth, 0.014, mask)
            bag = [(side * 0.19, 0.10), (side * 0.30, 0.145), (side * 0.42, 0.10)]
            self._touch(ribbon(bag, (0.005, 0.02, 0.005)), line, 0.5 * depth, 0.012, mask)
            for rise in (-0.04, 0.0, 0.045) if face.age > 0.45 else ():
                foot = [(side * 0.50, 0.02 + rise * 0.6), (side * 0.585, 0.02 + rise * 1.7)]
                self._touch(ribbon(foot, (0.012, 0.004)), line, 0.55 * face.age, 0.008, mask)
        for row in range(round(4 * (face.age - 0.3)) if face.age > 0.3 else 0):
            y = -0.56 + 0.09 * row
            wrinkle = [(-0.30, y + 0.015), (-0.1, y), (0.12, y + 0.006), (0.31, y + 0.02)]
            self._touch(ribbon(wrinkle, (0.004, 0.014, 0.014, 0.004)), line, 0.5 * face.age, 0.008, mask)

    def _beard(self, mask: Mask) -> None:
        face = self.face
        w = face.width
        half = [(w * 1.02, 0.1), (w * 0.86, 0.36), (0.44, 0.50), (0.24, 0.50), (0.10, 0.505), (0.0, 0.53)]
        outer = [(1.1 * w, 0.2), (1.1 * w, 0.7), (0.8 * w, 1.0), (0.3, 1.1), (0.0, 1.12)]
        right = np.array([*outer[::-1], *half], float)
        colour = mix(face.skin, face.brow * (0.9, 0.88, 0.86), 0.45 + 0.5 * face.beard)
        sides = [self.at(curve(right * [side, 1])) for side in (-1, 1)]
        beard = self.canvas.mask(*sides, blur=self._px(0.035)).within(mask)
        self.canvas.fill(beard, colour, 0.55 + 0.4 * face.beard)
        hairs = noise(self.rng, (beard.coverage.width // 2, beard.coverage.height // 5), beard.coverage.size)
        self.canvas.relight(beard, 1 + 0.10 * hairs)
        self._touch(ellipse(0, 0.80, 0.05, 0.022), mix(colour, face.skin, 0.5), 0.5, 0.025)

    def _nostrils(self) -> None:
        face = self.face
        wide, low = face.nose, face.nose_length
        for side in (-1, 1):
            hole = ellipse(side * 0.072 * wide, 0.455 + low, 0.042 * wide, 0.017)
            self._touch(hole, face.skin * (0.30, 0.2, 0.2), 0.85, 0.010)
            wing = np.array([(0.145, 0.36), (0.178, 0.42), (0.13, 0.462)]) * (side * wide, 1) + np.array([0, low])
            self._touch(ribbon(wing, (0.004, 0.018, 0.012)), face.skin * (0.5, 0.38, 0.36), 0.55, 0.010)
        under = np.array([(-0.11, 0.475), (0, 0.492), (0.11, 0.475)]) * (wide, 1) + np.array([0, low])
        self._touch(ribbon(under, (0.01, 0.03, 0.01)), face.skin * (0.55, 0.43, 0.42), 0.5, 0.016)

    def _mouth(self, mask: Mask) -> None:
        face = self.face
        w = face.mouth * (1 + 0.18 * face.smile)
        lift = 0.045 * face.smile - 0.012
        gap = max(0.0, face.smile - 0.55) * 0.13
        full = 0.055 * face.lips * (1 - 0.25 * face.smile)
        y = 0.65
        corner = y - lift
        upper = [(-w, corner), (-0.5 * w, y - full * 0.75), (-0.2 * w, y - full * 1.15), (0, y - full * 0.92),
                 (0.2 * w, y - full * 1.15), (0.5 * w, y - full * 0.75), (w, corner),
                 (0.5 * w, y + 0.008), (0, y + 0.010), (-0.5 * w, y + 0.008)]  # fmt: skip
        lower = [(-w, corner), (-0.5 * w, y + 0.006 + gap), (0, y + 0.010 + gap), (0.5 * w, y + 0.006 + gap),
                 (w, corner), (0.55 * w, y + gap + full * 1.05), (0, y + gap + full * 1.62),
                 (-0.55 * w, y + gap + full * 1.05)]  # fmt: skip
        rose = mix(face.skin * (0.84, 0.62, 0.6), (176, 58, 66), 0.15 + 0.4 * face.lip_red)
        self._touch(curve(lower), rose * 1.04, 0.9, 0.012)
        self._touch(curve(upper), rose * 0.84, 0.9, 0.012)
        if gap > 0.006:
            self._teeth(w, y, corner, gap)
        else:
            line = [(-w, corner), (-0.5 * w, y + 0.008), (0, y + 0.010), (0.5 * w, y + 0.008), (w, corner)]
            self._touch(ribbon(line, (0.012, 0.018, 0.016, 0.018, 0.012)), face.skin * (0.34, 0.18, 0.18), 0.8, 0.006)
        self._touch(ellipse(0.02, y + gap + full * 0.85, 0.08, 0.012), mix(rose, (255, 235, 230), 0.4), 0.45, 0.016)
        self._touch(ellipse(0, y + gap + full * 2.1, 0.14, 0.018), face.skin * (0.6, 0.5, 0.48), 0.45, 0.03, mask)
        for side in (-1, 1):
            self._touch(ellipse(side * (w + 0.012), corner, 0.016, 0.02), face.skin * (0.5, 0.36, 0.34), 0.5, 0.014)

    def _teeth(self, w: float, y: float, corner: float, gap: float) -> None:
        opening = curve([(-0.9 * w, corner + 0.008), (-0.45 * w, y + 0.004), (0, y + 0.006), (0.45 * w, y + 0.004),
                         (0.9 * w, corner + 0.008), (0.45 * w, y + gap * 1.02), (0, y + gap * 1.12),
                         (-0.45 * w, y + gap * 1.02)])  # fmt: skip
        inside = self.canvas.mask(self.at(opening), blur=self._px(0.006))
        self.canvas.fill(inside, (66, 26, 26))
        teeth = curve([(-0.78 * w, corner + 0.012), (0, y), (0.78 * w, corner + 0.012), (0.4 * w, y + gap * 0.86),
                       (0, y + gap * 0.96), (-0.4 * w, y + gap * 0.86)])  # fmt: skip
        self.canvas.fill(self.canvas.mask(self.at(teeth), blur=self._px(0.008)).within(inside), (232, 224, 212))
        for x in (-0.36, -0.12, 0.12, 0.36):
            seam = ribbon([(x * w * 1.1, y), (x * w * 1.1, y + gap)], 0.006)
            self.canvas.fill(self.canvas.mask(self.at(seam), blur=self._px(0.006)).within(inside), (150, 130, 120), 0.4)

    def _eye(self, side: int) -> None:
        face = self.face
        x, tall, slant = side * face.eyes, 1.08 * face.eye_open * (1 - 0.22 * face.smile), face.eye_slant
        inner, outer = x - side * 0.150, x + side * 0.157
        top = [(inner, 0.018), (x - side * 0.06, -0.05 * tall), (x + side * 0.03, -0.062 * tall),
               (x + side * 0.105, -0.036 * tall - slant / 2), (outer, 0.002 - slant)]  # fmt: skip
        low = [(x + side * 0.09, 0.040), (x, 0.052), (x - side * 0.085, 0.042)]
        self._touch(ellipse(x, -0.01, 0.2, 0.085), face.skin * (0.62, 0.5, 0.48), 0.42, 0.045)
        lids = self.canvas.mask(self.at(curve([*top, *low])), blur=self._px(0.007))
        self.canvas.fill(lids, (226, 219, 213))
        gaze = x + 0.012 * np.sign(face.yaw) * min(abs(face.yaw) * 4, 1)
        for radius, colour in (
            (0.076, face.iris * 0.45),
            (0.064, face.iris),
            (0.045, face.iris * 1.3),
            (0.031, (14, 10, 9)),
        ):
            disc = self.canvas.mask(self.at(ellipse(gaze, -0.004, radius, radius)), blur=self._px(0.008))
            self.canvas.fill(disc.within(lids), colour)
        shade = self.canvas.mask(self.at(ribbon(top, 0.055)), blur=self._px(0.018)).within(lids)
        self.canvas.fill(shade, (40, 24, 22), 0.55)
        self._touch(ellipse(inner + side * 0.008, 0.02, 0.016, 0.012), mix(face.skin, (200, 90, 90), 0.5), 0.8, 0.006)
        self._touch(
            ribbon([(u, v + 0.012) for u, v in low[::-1]], 0.02), mix(face.skin, (200, 120, 110), 0.3), 0.5, 0.010
        )
        self._touch(ribbon([(u, v + 0.004) for u, v in low], 0.009), (52, 32, 28), 0.35, 0.006)
        lash = [(inner, 0.015), *top[1:4], (outer + side * 0.015, -0.006 - slant)]
        self._touch(ribbon(lash, (0.008, 0.018, 0.026, 0.028, 0.012)), (26, 17, 15), 0.9, 0.006)
        crease = [(u, v - 0.035 - 0.012 * i) for i, (u, v) in zip((0, 1, 1.5, 1, 0), top, strict=True)]
        self._touch(ribbon(crease, (0.006, 0.016, 0.02, 0.018, 0.008)), face.skin * (0.5, 0.36, 0.34), 0.6, 0.008)

    def _brow(self, side: int) -> None:
        face = self.face
        y, arch = -0.185 - 0.02 * face.eye_open, face.brow_arch
        line = [
            (side * 0.125, y + face.brow_tilt),
            (side * 0.24, y - arch * 0.6),
            (side * 0.36, y - arch),
            (side * 0.49, y + 0.012),
        ]
        weight = face.brow_weight
        self._touch(ribbon(line, (0.045 * weight, 0.062 * weight, 0.05 * weight, 0.010)), face.brow, 0.72, 0.013)
        self._touch(ribbon(line, (0.02 * weight, 0.034 * weight, 0.03 * weight, 0.006)), face.brow * 0.7, 0.6, 0.008)

    def _catchlight(self, side: int) -> None:
        x = side * self.face.eyes + 0.02 * np.sign(self.light.x)
        self._touch(ellipse(x, -0.026, 0.014, 0.014), (255, 255, 255), 0.9, 0.006)

    def _relief(self, u: Field, v: Field) -> Field:
        face = self.face
        a = u - self._turn(u, v).astype(np.float32)
        radius = (np.abs(u) / (face.width * 1.07)) ** 2.3 + (np.abs(v + 0.02) / 1.10) ** 2.6
        height = 0.62 * np.clip(1 - radius, 0, None) ** 0.55
        for x, y, wide, tall, rise in _BUMPS:
            bumps = np.exp(-(((a - x) / wide) ** 2)) + np.exp(-(((a + x) / wide) ** 2))
            height += rise * bumps * np.exp(-(((v - y) / tall) ** 2))
        for x, y, wide, tall, rise in _MIDLINE:
            height += rise * np.exp(-(((a - x) / wide) ** 2) - ((v - y) / tall) ** 2)
        down = np.clip((v + 0.14) / (0.54 + face.nose_length), 0, 1)
        end = 1 / (1 + np.exp((v - 0.445 - face.nose_length) / 0.022))
        height += (
            (0.045 + 0.16 * down**1.5) * down**0.4 * end * np.exp(-((a / ((0.075 + 0.05 * down) * face.nose)) ** 2))
        )
        return np.asarray(height, np.float32)

    def _shade(self, mask: Mask) -> None:
        box = mask.box
        u, v = self.frame.grid(box)
        height = self._relief(u, v)
        diffuse, shine = self.light.on(height, self.frame.unit / 2)
        mottle = (
            noise(self.rng, (12, 14), u.shape[::-1]) * 0.012 + self.rng.standard_normal(u.shape, np.float32) * 0.014
        )
        diffuse = 0.28 + 0.78 * diffuse + mottle
        edge = np.clip(
            1.25 - (np.abs(u) / (self.face.width * 1.05)) ** 5 * 0.42 - np.clip(v - 0.75, 0, 1) * 0.5, 0.4, 1
        )
        diffuse = diffuse * edge
        # Light that leaves skin again has lost its blue: shadows are warmer than lit skin.
        factor = diffuse[..., None] ** np.array([0.86, 1.06, 1.14], np.float32) * self.light.tint.astype(np.float32)
        oil = (0.55 + 0.45 * np.exp(-((np.abs(u) / 0.4) ** 2))) * shine
        glow = oil[..., None] * np.array([46, 42, 38], np.float32) * np.float32(1.5 - self.face.skin.mean() / 340)
        self.canvas.relight(mask, factor.astype(np.float32), glow.astype(np.float32))


def paint_glasses(painter: FacePainter, rng: np.random.Generator) -> None:
    """Glasses with thin or thick frames over a painted face."""
    canvas, frame, x = painter.canvas, painter.frame, painter.face.eyes
    tint = np.array(((24, 22, 24), (70, 44, 28), (110, 112, 118), (36, 44, 70))[int(rng.integers(4))], float)
    thick = rng.choice([0.022, 0.036])
    wide, tall, power = rng.uniform(0.205, 0.23), rng.uniform(0.135, 0.175), rng.choice([1.0, 0.62])
    for side in (-1, 1):
        turn = np.linspace(0, 2 * np.pi, 41)
        cos, sin = np.cos(turn), np.sin(turn)
        rim = np.stack([side * (x + 0.01) + wide * np.sign(cos) * np.abs(cos) ** power,
                        0.025 + tall * np.sign(sin) * np.abs(sin) ** power], 1)  # fmt: skip
        canvas.fill(canvas.mask(painter.at(rim), blur=1), (220, 232, 240), 0.07)
        shadow = canvas.mask(painter.at(ribbon(rim + np.array([0.01, 0.03]), thick, steps=2)), blur=frame.unit * 0.02)
        canvas.fill(shadow, (40, 24, 20), 0.28)
        canvas.fill(canvas.mask(painter.at(ribbon(rim, thick, steps=2))), tint)
        hinge = side * (x + 0.01 + wide)
        arm = [(hinge, -0.02), (side * painter.face.width * 0.99, 0.0)]
        canvas.fill(canvas.mask(painter.at(ribbon(arm, thick * 1.2))), tint)
        glint = [(side * x - 0.10, 0.06), (side * x - 0.03, -0.05)]
        canvas.fill(canvas.mask(painter.at(ribbon(glint, 0.03)), blur=frame.unit * 0.012), (255, 255, 255), 0.16)
    bridge = [(-(x - wide) - 0.01, 0.0), (0, -0.03), (x - wide + 0.01, 0.0)]
    canvas.fill(canvas.mask(painter.at(ribbon(bridge, thick))), tint)
