"""The colours of what is on a head, in numbers: how light and how vivid, against the skin and the light around."""

import numpy as np
from numpy.typing import NDArray

from audit.attributes.people.head_cells import crown_colour, skin_colour
from audit.attributes.people.head_crop import HeadCrop, coordinates, head_crop
from audit.detectors.photo import Photo, shared

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_FEWEST = 12
# Bins, from and to: lightness against the skin's, lightness, chroma, a and b; then lightness and chroma together.
_BINS = ((0.0, 1.5, 10), (0.0, 100.0, 10), (0.0, 50.0, 8), (-6.0, 24.0, 8), (-8.0, 40.0, 8))
_JOINT = ((0.0, 90.0, 6), (0.0, 40.0, 5))
_DARKEST_SKIN = 20.0


@shared
def hair_tones(photo: Photo) -> Floats | None:
    """Summary and histograms of the colours on the head of the largest face (n,); None where there is no face.

    Skin of the same face and what lies around are among the numbers, so that a model can allow for the light.
    """
    crop = head_crop(photo)
    if crop is None:
        return None
    return np.concatenate((_summary(crop), np.sqrt(_histograms(crop)))).astype(np.float32)


def _summary(crop: HeadCrop) -> Floats:
    on_top = crop.lab[_top(crop)]
    skin, crown = skin_colour(crop), crown_colour(crop)
    crown = np.median(on_top, 0) if crown is None else crown
    levels = np.quantile(on_top[:, 0], (0.1, 0.3, 0.5, 0.7, 0.9))
    dark, light = on_top[on_top[:, 0] <= levels[1]].mean(0), on_top[on_top[:, 0] >= levels[3]].mean(0)
    hair = _hair(crop)
    middle = np.median(crop.lab[hair] if np.count_nonzero(hair) >= _FEWEST else on_top, axis=0)
    spread = (np.hypot(on_top[:, 1], on_top[:, 2]).mean(), on_top[:, 1].std(), on_top[:, 2].std())
    parts = (skin, crown, levels, dark, light, middle, _surroundings(crop), spread)
    return np.concatenate(parts).astype(np.float32)


def _surroundings(crop: HeadCrop) -> Floats:
    """How light the picture is (three quantiles), and the tint of what lies behind the head (a, b)."""
    inside = crop.inside > 0.5
    behind = inside & (crop.person < 0.3)
    tint = np.median(crop.lab[behind if np.count_nonzero(behind) > _FEWEST else inside], axis=0)[1:]
    return np.concatenate((np.quantile(crop.lab[..., 0][inside], (0.1, 0.5, 0.95)), tint)).astype(np.float32)


def _histograms(crop: HeadCrop) -> Floats:
    """Shares of what is on the head in each bin, bins overlapping so that a small change of colour changes little."""
    colours = crop.lab[_top(crop)]
    lightness, chroma = colours[:, 0], np.hypot(colours[:, 1], colours[:, 2])
    relative = lightness / max(float(skin_colour(crop)[0]), _DARKEST_SKIN)
    values = (relative, lightness, chroma, colours[:, 1], colours[:, 2])
    single = [_shares(value, *bins).mean(0) for value, bins in zip(values, _BINS, strict=True)]
    joint = np.einsum("ij,ik->jk", _shares(lightness, *_JOINT[0]), _shares(chroma, *_JOINT[1])) / len(colours)
    return np.concatenate((*single, joint.ravel())).astype(np.float32)


def _shares(values: Floats, low: float, high: float, bins: int) -> Floats:
    """How much of each value (n,) lies in each bin (n, bins): all of it in the nearest one, or shared by two."""
    place = (np.clip(values, low, high) - low) / (high - low) * (bins - 1)
    return np.asarray(np.clip(1 - np.abs(place[:, None] - np.arange(bins)), 0, 1), np.float32)


def _hair(crop: HeadCrop) -> Bools:
    hair: Bools = (crop.inside > 0.5) & (crop.hair > 0.5) & (crop.face < 0.5)
    return hair


def _top(crop: HeadCrop) -> Bools:
    """Hair above the eyes; where none was found, the place where it would be."""
    u, v = coordinates()
    hair = _hair(crop) & (v < -0.35)
    if np.count_nonzero(hair) >= _FEWEST:
        return hair
    place = (np.abs(u) < 0.5) & (v < -0.5) & (v > -0.9)
    inside = place & (crop.inside > 0.5)
    return inside if np.count_nonzero(inside) >= _FEWEST else place
