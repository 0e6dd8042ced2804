"""The features of a face, and how they are drawn by lot."""

from dataclasses import dataclass

import numpy as np

from audit.demo.canvas import Colour, Points, curve, mirrored, mix


@dataclass(frozen=True)
class Face:
    """The features of one face, in head units unless told otherwise."""

    skin: Colour
    width: float
    jaw: float
    chin: float
    eyes: float
    """Half the distance between the eyes."""
    eye_open: float
    eye_slant: float
    iris: Colour
    brow: Colour
    brow_weight: float
    brow_arch: float
    brow_tilt: float
    nose: float
    """Width of the nose, 1 is average."""
    nose_length: float
    mouth: float
    """Half the width of the mouth."""
    lips: float
    """Fullness, 1 is average."""
    lip_red: float
    smile: float
    """0 (earnest) .. 1; from 0.6 on the teeth show."""
    age: float
    """0 (young) .. 1 (old)."""
    beard: float
    """0 none .. 1 full."""
    yaw: float
    """Turn to the side in radians."""
    blush: float


def random_face(rng: np.random.Generator, skin: Colour, hair: Colour, age: float, beard: bool) -> Face:
    """Features drawn at random, the same way for everybody."""
    dark = 1 - float(skin.mean()) / 255
    irises = ((62, 40, 26), (78, 54, 34), (96, 84, 50), (86, 110, 120), (70, 96, 76))
    pick = 0 if dark > 0.5 else int(rng.choice(5, p=[0.3, 0.3, 0.15, 0.15, 0.1]))
    return Face(
        skin=skin,
        width=rng.uniform(0.665, 0.74),
        jaw=rng.uniform(0.84, 1.05),
        chin=rng.uniform(0.14, 0.25),
        eyes=rng.uniform(0.285, 0.315),
        eye_open=rng.uniform(0.85, 1.15),
        eye_slant=rng.uniform(-0.012, 0.028),
        iris=np.array(irises[pick], float),
        brow=mix(hair, (30, 22, 18), 0.55),
        brow_weight=rng.uniform(0.6, 1.25),
        brow_arch=rng.uniform(0.015, 0.07),
        brow_tilt=rng.uniform(-0.022, 0.010),
        nose=rng.uniform(0.85, 1.12) + 0.25 * dark,
        nose_length=rng.uniform(-0.03, 0.035),
        mouth=rng.uniform(0.205, 0.245),
        lips=rng.uniform(0.75, 1.1) + 0.4 * dark,
        lip_red=rng.uniform(0.25, 0.75),
        smile=rng.beta(1.5, 1.2),
        age=age,
        beard=rng.uniform(0.5, 1.0) if beard else 0.0,
        yaw=float(np.clip(rng.normal(0, 0.16), -0.32, 0.32)),
        blush=rng.uniform(0.2, 1.0),
    )


def outline(face: Face) -> Points:
    """The contour of the head without hair, in head units."""
    w, j, c = face.width, face.jaw, face.chin
    half = [
        (0.0, -0.97), (0.36, -0.92), (0.60, -0.70), (w * 0.97, -0.36), (w, -0.02), (w * 0.97, 0.28),
        (w * 0.90 * (0.6 + 0.4 * j), 0.56), (0.46 * j, 0.82), (c, 0.965), (0.0, 0.995),
    ]  # fmt: skip
    points = curve(mirrored(half))
    points[:, 0] += 0.16 * face.yaw * np.clip(points[:, 1] + 0.3, -0.5, 1.2)
    return points
