"""One portrait: a person with given traits, everything else drawn at random, finished like a camera's image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audit.demo.canvas import HAIR, SCALE, Canvas, Colour, Frame, Light, mix, noise
from audit.demo.clothes import ClothesPainter, random_outfit
from audit.demo.face import random_face
from audit.demo.hair import COLOURS, GREYS, HairPainter, random_hair
from audit.demo.head import FacePainter, paint_glasses
from audit.demo.rooms import paint_room

SKINS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "light": ((240, 205, 180), (232, 190, 160), (222, 176, 144)),
    "medium": ((212, 162, 124), (192, 140, 102), (172, 120, 84)),
    "dark": ((140, 92, 62), (112, 72, 48), (84, 54, 38)),
}


@dataclass(frozen=True)
class Sitter:
    """The traits of a portrait that are planned; all others are drawn at random from ``seed``."""

    label: str
    long_hair: bool
    skin: str
    room: str
    outfit: str
    stethoscope: bool
    glasses: bool
    beard: bool
    seed: int


@dataclass(frozen=True)
class Portrait:
    """An image, RGB, and where it shows hair: boolean of shape (height, width)."""

    image: Image.Image
    hair: NDArray[np.bool_]


def draw_portrait(sitter: Sitter, size: tuple[int, int]) -> Portrait:
    """Draw one person. ``size`` is (width, height) in pixels; equal arguments give equal pixels."""
    rng = np.random.default_rng(sitter.seed)
    light = _light(rng)
    skin = _skin(sitter.skin, rng)
    age = float(rng.beta(1.2, 1.9))
    tone = _hair_colour(sitter.skin, age, rng)
    face = random_face(rng, skin, tone, age, sitter.beard)
    canvas = Canvas(paint_room(sitter.room, (size[0] * SCALE, size[1] * SCALE), light, rng))
    head, body = _pose(size, rng)
    clothes = ClothesPainter(canvas, body, random_outfit(rng, sitter.outfit, sitter.stethoscope), skin, light, rng)
    hair = HairPainter(canvas, head, random_hair(rng, sitter.long_hair, tone), face.width, face.yaw, light, rng)
    painter = FacePainter(canvas, head, face, light, rng)
    hair.paint_back()
    clothes.paint_neck(head)
    clothes.paint()
    oval = painter.paint()
    hair.paint_front(oval)
    if sitter.glasses:
        paint_glasses(painter, rng)
    shown = canvas.parts.resize(size, Image.Resampling.NEAREST)
    return Portrait(_develop(canvas.finished(), rng), np.asarray(shown) == HAIR)


def _light(rng: np.random.Generator) -> Light:
    warmth = rng.normal(0, 0.025)
    tint = np.array([1 + warmth, 1.0, 1 - warmth]) * rng.uniform(0.96, 1.06)
    return Light(rng.uniform(-0.75, 0.75), -rng.uniform(0.25, 0.7), 1.0, ambient=rng.uniform(0.30, 0.55), tint=tint)


def _skin(name: str, rng: np.random.Generator) -> Colour:
    tones = np.array(SKINS[name], float)
    at = rng.uniform(0, len(tones) - 1)
    low = min(int(at), len(tones) - 2)
    return np.asarray(tones[low] + (tones[low + 1] - tones[low]) * (at - low) + rng.normal(0, 3, 3))


def _hair_colour(skin: str, age: float, rng: np.random.Generator) -> Colour:
    odds = {
        "light": (0.06, 0.1, 0.17, 0.2, 0.17, 0.12, 0.11, 0.07),
        "medium": (0.34, 0.28, 0.22, 0.11, 0.05, 0.0, 0.0, 0.0),
        "dark": (0.48, 0.32, 0.15, 0.05, 0.0, 0.0, 0.0, 0.0),
    }[skin]
    colour = np.array(COLOURS[int(rng.choice(len(COLOURS), p=odds))], float)
    grey = np.array(GREYS[int(rng.integers(len(GREYS)))], float)
    return mix(colour, grey, float(np.clip((age - 0.5) * rng.uniform(1.0, 3.0), 0, 0.9)))


def _pose(size: tuple[int, int], rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Frames of head and body: from head-and-shoulders (large head) to half-body (small head, high up)."""
    width, height = size[0] * SCALE, size[1] * SCALE
    near = rng.beta(1.6, 1.9)
    unit = min(width / 320, height / 400) * (64 + 42 * near)
    x = width * (0.5 + rng.normal(0, 0.035))
    y = unit * (1.36 + rng.uniform(0.0, 0.35)) + height * 0.01
    lean = rng.normal(0, 0.02)
    tilt = float(np.clip(rng.normal(0, 0.06), -0.14, 0.14))
    neck = 1.44 + rng.uniform(-0.06, 0.08)
    head = Frame(x, y, unit, tilt)
    body = Frame(x - 0.75 * neck * np.sin(tilt) * unit, y + neck * unit, unit, lean)
    return head, body


def _develop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """What a camera does: vignette, tone curve, grain."""
    width, height = image.size
    pixels = np.asarray(image, np.float32) / np.float32(255)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    exposure = rng.uniform(0.93, 1.05) * (1 - rng.uniform(0.03, 0.14) * (x * x + y * y))
    pixels *= exposure.astype(np.float32)[..., None]
    contrast = np.float32(rng.uniform(0.0, 0.35))
    pixels *= 1 - contrast + contrast * pixels * (3 - 2 * pixels)
    grain = rng.standard_normal((height, width), np.float32) * np.float32(rng.uniform(0.004, 0.012))
    grain += noise(rng, (width // 3, height // 3), (width, height)) * np.float32(0.003)
    pixels += grain[..., None]
    return Image.fromarray((np.clip(pixels, 0, 1, out=pixels) * 255 + 0.5).astype(np.uint8))
