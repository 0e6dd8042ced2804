"""A head described in numbers: what the cells of its grid show, from the crown to the chest or, finer, at the top."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.attributes.people.head_crop import COLUMNS, ROWS, HeadCrop, coordinates, head_crop
from audit.detectors.photo import Photo, shared

Floats = NDArray[np.float32]

_COARSE, _FINE = 4, 2
_MASKS, _LOOKS = 3, 11
# How far colours lie apart of things that look alike on one head, in lightness, a and b.
_SPREAD = np.array((15, 8, 8), np.float32)
_FAR = 4.0
_FEWEST = 8


@shared
def hanging_cells(photo: Photo) -> Floats | None:
    """What coarse cells beside and below the largest face show (n,); None where there is no face to place them by.

    Means of the channels over the cells of the left and the right half, then how far these differ: a head and its
    mirror image are described alike. Cells in the middle of the face are left out: eyes, nose and mouth would tell who
    it is, not how long the hair is.
    """
    channels = _channels(photo)
    if channels is None:
        return None
    left, right = _halves(channels, _COARSE)
    described = np.concatenate(((left + right) / 2, np.abs(left - right)), -1)
    return np.asarray(described[_beside_face()].ravel(), np.float32)


@shared
def top_cells(photo: Photo) -> Floats | None:
    """What fine cells from above the head down to the eyes show (n,), both halves averaged; None without a face."""
    channels = _channels(photo)
    if channels is None:
        return None
    left, right = _halves(channels[..., 1:], _FINE)
    return np.asarray(((left + right) / 2)[_at_top()].ravel(), np.float32)


def skin_colour(crop: HeadCrop) -> Floats:
    """Median colour of the cheeks and the nose (3,)."""
    u, v = coordinates()
    middle: Floats = np.median(crop.lab[(np.abs(u) < 0.35) & (v > -0.1) & (v < 0.3)], axis=0)
    return middle


def crown_colour(crop: HeadCrop) -> Floats | None:
    """Median colour of what is on the head above the forehead (3,); None where too little of it is seen."""
    u, v = coordinates()
    seen = (crop.inside > 0.5) & (crop.person > 0.5) & (crop.face < 0.5)
    crown = seen & (np.abs(u) < 0.5) & (v > -0.8) & (v < -0.45)
    return np.median(crop.lab[crown], axis=0) if np.count_nonzero(crown) >= _FEWEST else None


@shared
def _channels(photo: Photo) -> Floats | None:
    """Of every place (ROWS, COLUMNS, _MASKS + _LOOKS): the masks, colour against skin and crown, edges, colour."""
    crop = head_crop(photo)
    if crop is None:
        return None
    skin, crown = skin_colour(crop), crown_colour(crop)
    from_skin = (crop.lab - skin) / _SPREAD
    like_skin = _likeness(from_skin)
    like_crown = like_skin if crown is None else _likeness((crop.lab - crown) / _SPREAD)
    lightness = np.ascontiguousarray(crop.lab[..., 0])
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, *order) / 8 for order in ((1, 0), (0, 1)))
    chroma = np.hypot(crop.lab[..., 1], crop.lab[..., 2])
    looks = (like_crown, like_skin, like_crown * crop.person, np.log1p(np.abs(across)), np.log1p(np.abs(down)))
    colours = (lightness / 30, chroma / 20, down / 10)
    seen = np.dstack((np.clip(from_skin, -_FAR, _FAR), *looks, *colours)) * crop.inside[..., None]
    return np.dstack((crop.inside, crop.person * crop.inside, crop.hair, seen)).astype(np.float32)


def _likeness(distance: Floats) -> Floats:
    """1 for an equal colour, 0 for a far one."""
    return np.asarray(np.exp(-0.5 * (distance**2).sum(-1)), np.float32)


def _halves(channels: Floats, cell: int) -> tuple[Floats, Floats]:
    """Means over the cells of the left half, and over those of the right half mirrored."""
    cells = channels.reshape(ROWS // cell, cell, COLUMNS // cell, cell, -1).mean((1, 3))
    half = slice(COLUMNS // cell // 2)
    return cells[:, half], cells[:, ::-1][:, half]


def _middles(cell: int) -> tuple[Floats, Floats]:
    """u and v of the middles of the left half's cells."""
    u, v = (one.reshape(ROWS // cell, cell, COLUMNS // cell, cell).mean((1, 3)) for one in coordinates())
    half = slice(COLUMNS // cell // 2)
    return u[:, half], v[:, half]


@cache
def _beside_face() -> NDArray[np.bool_]:
    """Which coarse cells tell how far hair hangs."""
    u, v = _middles(_COARSE)
    beside: NDArray[np.bool_] = ~((np.abs(u) < 0.4) & (v > -0.2) & (v < 0.5)) & (v > -0.5) & (v < 1.5)
    return beside


@cache
def _at_top() -> NDArray[np.bool_]:
    """Which fine cells tell what is on the head."""
    u, v = _middles(_FINE)
    top: NDArray[np.bool_] = (v < 0) & (np.abs(u) < 1)
    return top
