"""Backgrounds: studios and rooms of a hospital, out of focus."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from audit.demo.canvas import Light, noise

_SIZE = (160, 200)
"""Rooms are out of focus, so they are painted small and stretched."""

_WALLS = ((206, 214, 218), (222, 216, 206), (190, 206, 208), (214, 208, 214), (198, 206, 190), (170, 184, 198))
_STUDIOS = ((196, 200, 204), (150, 160, 170), (216, 210, 200), (120, 132, 146), (176, 190, 196), (96, 104, 112))
_THINGS = (
    (178, 64, 58), (58, 98, 150), (226, 196, 120), (88, 138, 110), (236, 236, 232), (120, 84, 60), (70, 76, 88),
    (200, 140, 90),
)  # fmt: skip

Draw = ImageDraw.ImageDraw
Rng = np.random.Generator


def paint_room(kind: str, size: tuple[int, int], light: Light, rng: Rng) -> Image.Image:
    """A background of one of ``KINDS``, RGB of ``size`` (width, height)."""
    image = Image.new("RGB", _SIZE, _pick(rng, _WALLS))
    blur = KINDS[kind](image, ImageDraw.Draw(image), light, rng)
    soft = image.filter(ImageFilter.GaussianBlur(blur)).resize(size, Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        soft = soft.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return soft


def _pick(rng: Rng, choices: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
    return choices[int(rng.integers(len(choices)))]


def _shade(colour: tuple[int, int, int], factor: float) -> tuple[int, int, int]:
    red, green, blue = (min(255, max(0, round(value * factor))) for value in colour)
    return red, green, blue


def _gradient(image: Image.Image, factor: NDArray[np.floating]) -> None:
    pixels = np.asarray(image, np.float32) * factor[..., None]
    image.paste(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def _studio(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    image.paste(_pick(rng, _STUDIOS), (0, 0, *_SIZE))
    y, x = np.mgrid[0 : _SIZE[1], 0 : _SIZE[0]].astype(np.float32)
    spot = ((x - 80 - 45 * light.x) / 110) ** 2 + ((y - 70) / 130) ** 2
    mottled = 0.02 * noise(rng, (5, 6), _SIZE)
    _gradient(image, 1.12 - 0.30 * np.clip(spot, 0, 1.6) + mottled)
    return 1.0


def _wash(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    top, bottom = np.array(_pick(rng, _WALLS), float), np.array(_pick(rng, _WALLS), float) * rng.uniform(0.55, 0.9)
    y, x = np.mgrid[0 : _SIZE[1], 0 : _SIZE[0]].astype(np.float32)
    share = np.clip(y / _SIZE[1] + 0.25 * light.x * (x / _SIZE[0] - 0.5), 0, 1)[..., None]
    image.paste(Image.fromarray((top * (1 - share) + bottom * share).clip(0, 255).astype(np.uint8)))
    return 1.0


def _ward(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    left, wide, low = int(rng.integers(-20, 50)), int(rng.integers(55, 85)), int(rng.integers(95, 130))
    right = left + wide
    draw.rectangle((left - 4, 8, right + 4, low + 4), fill=(238, 238, 234))
    draw.rectangle((left, 12, right, low), fill=_pick(rng, ((216, 232, 246), (232, 240, 246), (196, 216, 236))))
    hills = [(left, low), (left, low - 28), (left + wide // 2, low - 40), (right, low - 22), (right, low)]
    draw.polygon(hills, fill=_pick(rng, ((142, 172, 132), (156, 164, 170), (170, 182, 160))))
    for x in (left + wide // 2, right):
        draw.rectangle((x - 2, 12, x + 1, low), fill=(236, 236, 232))
    curtain = _pick(rng, ((164, 196, 204), (206, 192, 170), (176, 200, 178), (190, 178, 204)))
    for i in range(7):
        draw.rectangle((120 + i * 7, 0, 126 + i * 7, 200), fill=_shade(curtain, 0.86 + 0.16 * (i % 2)))
    draw.rectangle((0, 150, 160, 200), fill=(203, 207, 213))
    draw.rectangle((-2, 136, 70, 141), fill=(150, 156, 164))
    for x in (8, 26, 44, 62):
        draw.rectangle((x, 138, x + 3, 200), fill=(160, 166, 172))
    return rng.uniform(1.6, 3.2)


def _corridor(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    wall = _pick(rng, _WALLS)
    x, y = int(rng.integers(55, 105)), int(rng.integers(70, 95))
    left, top, right, bottom = far = (x - 20, y - 24, x + 20, y + 26)
    floor = _shade((176, 180, 184), rng.uniform(0.75, 1.05))
    draw.polygon([(0, 0), (160, 0), (right, top), (left, top)], fill=_shade(wall, 1.08))
    draw.polygon([(0, 200), (160, 200), (right, bottom), (left, bottom)], fill=floor)
    draw.polygon([(0, 0), (left, top), (left, bottom), (0, 200)], fill=_shade(wall, 0.88))
    draw.polygon([(160, 0), (right, top), (right, bottom), (160, 200)], fill=_shade(wall, 0.97))
    draw.rectangle(far, fill=_shade(wall, 1.15))
    for near, deep in ((0.02, 0.22), (0.36, 0.52), (0.64, 0.74)):
        lamp = [(x + (at - x) * (1 - t), top * t) for t, at in ((near, 62), (near, 98), (deep, 96), (deep, 64))]
        draw.polygon(lamp, fill=(255, 255, 250))
    door = _pick(rng, ((150, 116, 84), (96, 130, 150), (120, 150, 140)))
    for near, deep in ((0.12, 0.34), (0.5, 0.62)):
        for edge, corner in ((0, left), (160, right)):
            upper = [(edge + (corner - edge) * t, 30 + (top - 22) * t) for t in (near, deep)]
            lower = [(edge + (corner - edge) * t, 200 + (bottom - 200) * t) for t in (deep, near)]
            draw.polygon([*upper, *lower], fill=door)
    return rng.uniform(1.4, 3.0)


def _shelf(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    wood = _pick(rng, ((226, 222, 214), (168, 132, 96), (196, 202, 206), (120, 92, 70)))
    draw.rectangle((0, 0, 160, 200), fill=_shade(wood, 0.62))
    for y in range(int(rng.integers(-20, 0)), 200, 44):
        x = int(rng.integers(-8, 2))
        while x < 160:
            wide, tall = int(rng.integers(5, 20)), int(rng.integers(18, 36))
            if rng.random() < 0.85:
                item = _shade(_pick(rng, _THINGS), rng.uniform(0.7, 1.05))
                draw.rectangle((x, y + 40 - tall, x + wide - 1, y + 40), fill=item)
                draw.rectangle((x, y + 46 - tall, x + wide - 1, y + 49 - tall), fill=_shade(item, 1.25))
            x += wide
        draw.rectangle((0, y + 40, 160, y + 44), fill=wood)
    for x in (int(rng.integers(0, 50)), int(rng.integers(110, 160))):
        draw.rectangle((x, 0, x + 4, 200), fill=_shade(wood, 0.92))
    return rng.uniform(2.0, 3.4)


def _curtain(image: Image.Image, draw: Draw, light: Light, rng: Rng) -> float:
    colour = _pick(rng, ((150, 188, 200), (170, 196, 176), (206, 196, 176), (186, 176, 200), (128, 160, 184)))
    image.paste(colour, (0, 0, *_SIZE))
    x = np.arange(_SIZE[0], dtype=np.float32)
    folds = np.sin(x / rng.uniform(3.2, 5.5) + 1.6 * np.sin(x / 23 + rng.uniform(0, 6)))
    ramp = 1 + 0.12 * light.x * (x / 80 - 1)
    _gradient(image, np.repeat(((0.92 + 0.11 * folds) * ramp)[None], _SIZE[1], axis=0))
    draw.rectangle((0, 0, 160, int(rng.integers(6, 18))), fill=(196, 200, 202))
    return 1.3


KINDS: dict[str, Callable[[Image.Image, Draw, Light, Rng], float]] = {
    "studio": _studio,
    "wash": _wash,
    "ward": _ward,
    "corridor": _corridor,
    "shelf": _shelf,
    "curtain": _curtain,
}
"""Painters of the backgrounds by name; each returns how far it is out of focus."""
