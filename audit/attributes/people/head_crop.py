"""The head of the largest face on a small upright grid, so that a cell is the same place on every head.

Places are given as by ``face_coordinates``: u across and v down from the middle of the face's outline, which reaches
from -0.5 to 0.5 in both.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.attributes.people.aligned_face import largest_face
from audit.detectors.parts.face import Face, face_mask, rotation
from audit.detectors.parts.hair import hair_mask
from audit.detectors.parts.subject import foreground
from audit.detectors.photo import Photo, Pixels, shared

Floats = NDArray[np.float32]

PER_FACE = 16
LEFT, TOP, COLUMNS, ROWS = -1.5, -1.25, 48, 56
# Narrower faces, in pixels, show neither strands nor edges of hair.
_NARROWEST = 16.0
_MARGIN = 2


@dataclass(frozen=True)
class HeadCrop:
    """What is where on a head, on a grid of ROWS x COLUMNS with PER_FACE cells to the face's width and to its height.

    ``lab``: CIELAB, lightness 0..100, (ROWS, COLUMNS, 3). ``inside``: 1 in the photograph, 0 beyond its edge.
    ``person``: probability that somebody is there. ``face`` and ``hair``: the share that those masks cover.
    All float32 (ROWS, COLUMNS).
    """

    lab: Floats
    inside: Floats
    person: Floats
    face: Floats
    hair: Floats


@shared
def head_crop(photo: Photo) -> HeadCrop | None:
    """The head of the largest face; None where there is no face, or one too small to show anything."""
    face = largest_face(photo)
    if face is None or min(face.size) < _NARROWEST:
        return None
    transform = grid_transform(face)
    window = _window(transform, photo.shape)
    masks = [mask[window].view(np.uint8) * np.uint8(255) for mask in (face_mask(photo), hair_mask(photo))]
    person = cv2.convertScaleAbs(foreground(photo)[window], alpha=255)
    layers = np.asarray(cv2.merge((person, *masks, np.full_like(person, 255))), np.uint8)
    colour, parts = (_on_grid(planes, window, transform) for planes in (photo.pixels[window], layers))
    on_grid: list[Floats] = [parts[..., layer].copy() for layer in range(4)]
    *parts_of_head, inside = on_grid
    lab = cv2.cvtColor(colour / np.maximum(inside, 1e-3)[..., None], cv2.COLOR_RGB2LAB)
    return HeadCrop(np.asarray(lab, np.float32), inside, *parts_of_head)


@cache
def coordinates() -> tuple[Floats, Floats]:
    """The coordinates u and v of the cells' middles, each (ROWS, COLUMNS); read-only."""
    row, column = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    places = LEFT + (column + 0.5) / PER_FACE, TOP + (row + 0.5) / PER_FACE
    for place in places:
        place.setflags(write=False)
    return places


def grid_transform(face: Face) -> NDArray[np.float64]:
    """The affine map (2, 3) from the photograph's pixels x, y to the grid's column and row."""
    turn = rotation(-face.angle)
    outline = face.outline @ turn.T
    low, high = outline.min(0), outline.max(0)
    scale = PER_FACE / np.maximum(high - low, 1)
    start = np.array((LEFT, TOP)) * PER_FACE + 0.5
    linear = scale[:, None] * turn
    return np.column_stack((linear, -scale * (low + high) / 2 - start))


def _window(transform: NDArray[np.float64], shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the photograph that the grid covers and a little more, at least one of each."""
    back = cv2.invertAffineTransform(transform)
    right, bottom = COLUMNS + _MARGIN, ROWS + _MARGIN
    corners = np.array(((-_MARGIN, -_MARGIN), (right, -_MARGIN), (-_MARGIN, bottom), (right, bottom)))
    corners = corners @ back[:, :2].T + back[:, 2]
    low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int)
    starts = [int(np.clip(start, 0, length - 1)) for start, length in zip(low[::-1], shape, strict=True)]
    ends = [int(np.clip(end, start + 1, length)) for end, start, length in zip(high[::-1], starts, shape, strict=True)]
    return slice(starts[0], ends[0]), slice(starts[1], ends[1])


def _on_grid(planes: Pixels, window: tuple[slice, slice], transform: NDArray[np.float64]) -> Floats:
    """The planes (h, w, c) of a window, 0..255, on the grid as 0..1.

    Blocks of pixels are averaged before they are sampled, about one and a half to a cell, so that nothing is skipped.
    """
    scale = float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
    block = max(1, min(round(1 / (1.5 * scale)), *planes.shape[:2]))
    height, width = (length // block for length in planes.shape[:2])
    whole = planes[: height * block, : width * block]
    small = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA) if block > 1 else whole
    start = np.array((window[1].start, window[0].start)) + (block - 1) / 2
    linear = transform[:, :2]
    to_cells = np.column_stack((linear * block, linear @ start + transform[:, 2]))
    warped = cv2.warpAffine(small, to_cells, (COLUMNS, ROWS), flags=cv2.INTER_LINEAR)
    return warped.astype(np.float32) / np.float32(255)
