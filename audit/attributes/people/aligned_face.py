"""The largest face brought to one place: eyes and chin of every face lie at the same pixels of a small crop."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.parts.face import Face, find_faces
from audit.detectors.photo import Photo, Pixels, shared

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 64, 80
# Where the eyes and the chin come to lie, as x, y.
_PLACES = np.array(((16, 20), (48, 20), (32, 67)), np.float32)
# The mesh's points at the corners of the eye on the left of the picture, and of that on the right; below the chin.
_CORNERS, _CHIN = ((33, 133), (362, 263)), 152
# Smaller or flatter faces, and meshes that hardly fit, tell nothing.
_LEAST_APART, _LEAST_DEPTH, _LEAST_PRESENCE = 12.0, 0.5, 0.9


def largest_face(photo: Photo) -> Face | None:
    """The largest accepted face, None without one."""
    return next(iter(find_faces(photo)), None)


def clear_mesh(photo: Photo) -> Floats | None:
    """The mesh (468, 2) of the largest face, in pixels of the photograph.

    None where there is no face, where the mesh hardly fits, the eyes are less than 12 pixels apart, or eyes or chin lie
    outside the picture.
    """
    face = largest_face(photo)
    if face is None or face.mesh is None or face.presence < _LEAST_PRESENCE:
        return None
    return face.mesh if _clear(face.mesh, photo.shape) else None


@shared
def aligned_face(photo: Photo) -> Pixels | None:
    """The largest face as :func:`align` crops it, None where :func:`clear_mesh` is."""
    mesh = clear_mesh(photo)
    return None if mesh is None else align(photo.pixels, mesh)


def align(pixels: Pixels, mesh: Floats) -> Pixels:
    """RGB crop uint8 (HEIGHT, WIDTH, 3) of a face with this mesh (468, 2): eyes level and 32 pixels apart.

    Large faces are averaged over the area of each pixel, so that they are as smooth as small ones.
    """
    to_crop = cv2.getAffineTransform(_landmarks(mesh), _PLACES)
    finer = max(1, round(float(abs(np.linalg.det(to_crop[:, :2]))) ** -0.5))
    to_finer = finer * to_crop
    to_finer[:, 2] += (finer - 1) / 2
    size = (finer * WIDTH, finer * HEIGHT)
    fine = cv2.warpAffine(pixels, to_finer, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(fine, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def level_mesh(mesh: Floats) -> Floats:
    """A mesh (n, 2) turned so that the eyes are level, seen from between them, in distances between the eyes."""
    left, right, _ = _landmarks(mesh)
    cosine, sine = (right - left) / float(((right - left) ** 2).sum())
    turned = np.array(((cosine, -sine), (sine, cosine)), np.float32)
    return np.asarray((mesh - (left + right) / 2) @ turned, np.float32)


def eyes_apart(mesh: Floats) -> float:
    """Distance between the middles of the eyes, in pixels."""
    left, right, _ = _landmarks(mesh)
    return float(np.hypot(*(right - left)))


def cell_means(values: Floats, side: int) -> Floats:
    """Means of an array (..., h, w) over square cells: (..., h / side, w / side).

    >>> cell_means(np.arange(8, dtype=np.float32).reshape(2, 4), 2)
    array([[2.5, 4.5]], dtype=float32)
    """
    height, width = values.shape[-2] // side, values.shape[-1] // side
    means: Floats = values.reshape(*values.shape[:-2], height, side, width, side).mean((-3, -1))
    return means


def fold(cells: Floats) -> Floats:
    """Mean of the left half of cells (..., h, w) and the mirrored right half: (..., h, w / 2).

    Faces are symmetric; the light on them and the way they are turned are not.

    >>> fold(np.array([[1.0, 2.0, 4.0, 7.0]], np.float32))
    array([[4., 3.]], dtype=float32)
    """
    folded: Floats = (cells + cells[..., ::-1])[..., : cells.shape[-1] // 2] * np.float32(0.5)
    return folded


def probability(logit: float) -> float:
    """The logistic function.

    >>> probability(0.0)
    0.5
    """
    return float(1 / (1 + np.exp(-np.clip(logit, -60, 60))))


def _landmarks(mesh: Floats) -> Floats:
    """Left eye, right eye and chin, (3, 2)."""
    return np.array([*(mesh[list(corners)].mean(0) for corners in _CORNERS), mesh[_CHIN]], np.float32)


def _clear(mesh: Floats, shape: Sequence[int]) -> bool:
    landmarks = _landmarks(mesh)
    inside = (landmarks >= 0).all() and (landmarks < shape[::-1]).all()
    return bool(inside and eyes_apart(mesh) >= _LEAST_APART and level_mesh(mesh)[_CHIN, 1] >= _LEAST_DEPTH)
