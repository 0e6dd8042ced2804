"""Folders with photographs of a single colour among drawn ones, in nine kinds, and settings of fast audits of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from audit.config import Config, parse_config
from tests.planted import SIDE, draw_picture

CLASSES = ("disc", "square")
PER_CLASS = 8
_COLOURS = ("red", "lime", "blue", "gray", "#102030", "#ffeeaa")

# The picture for a class and a number; None leaves the drawn one.
Kind = Callable[[str, int], Image.Image | None]


def flat(colour: str, side: int = SIDE) -> Image.Image:
    """One colour and nothing else."""
    return Image.new("RGB", (side, side), colour)


def nearly_flat(seed: int, around: tuple[int, int, int] = (120, 130, 90)) -> Image.Image:
    """One colour with noise of one level up and down."""
    noise = np.random.default_rng(seed).integers(-1, 2, (SIDE, SIDE, 3))
    return Image.fromarray((np.array(around) + noise).astype(np.uint8))


def transparent(seed: int) -> Image.Image:
    """Noise of any colour under an alpha of 0 everywhere."""
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    return Image.fromarray(pixels)


def _some_colours(label: str, number: int) -> Image.Image | None:
    first = label == CLASSES[0]
    return flat(_COLOURS[number]) if number < (4 if first else 2) else None


KINDS: dict[str, Kind] = {
    "one black": lambda label, number: flat("black") if (label, number) == ("disc", 3) else None,
    "one white": lambda label, number: flat("white") if (label, number) == ("square", 5) else None,
    "some of several colours": _some_colours,
    "some nearly flat": lambda label, number: nearly_flat(number + len(label)) if number < 3 else None,
    "some transparent": lambda label, number: transparent(number + len(label)) if number < 3 else None,
    "a class black": lambda label, number: flat("black") if label == "disc" else None,
    "one class black, one white": lambda label, number: flat("black" if label == "disc" else "white"),
    "all of one colour": lambda label, number: flat("#5a783c"),
    "all nearly flat": lambda label, number: nearly_flat(number + 100 * len(label), (60 + 10 * number, 130, 90)),
}


def draw_kind(root: Path, kind: str, per_class: int = PER_CLASS) -> list[str]:
    """Draw a folder of two classes; return the sorted paths of the photographs that show one colour."""
    uniform = []
    for label in CLASSES:
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            drawn, path = KINDS[kind](label, number), f"{label}/{number:03}.png"
            picture = drawn or draw_picture(label, False, np.random.default_rng((number, len(label))))
            picture.save(root / path)
            uniform += [path] if drawn else []
    return sorted(uniform)


def fast_config(photos: Path, **settings: object) -> Config:
    """Every stage on, in small numbers: the tiny network, all detectors that need no model file, the self-audit."""
    tree: dict[str, object] = {
        "dataset": {"photos": str(photos), "min_images_per_class": 4},
        "model": {"arch": "tiny", "image_size": SIDE, "fine_tune": "head"},
        "training": {"folds": 2, "epochs": 2, "batch_size": 16, "head_learning_rate": 0.01},
        "compute": {"workers": 0, "device": "cpu", "precision": "float32"},
        "evidence": {"resamples": 100, "permutations": 20, "effect_images": 4, "min_images": 5},
        "cues": ["main_object", "background", "border", "patch", "overlay"],
        "self_audit": {"permutations": 1, "null_images": 20, "power_images": 0},
    }
    return parse_config({**tree, **settings})
