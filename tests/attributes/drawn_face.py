"""A mesh, a face and a crop as drawn: only the points and the parts that attributes of faces are told by."""

import cv2
import numpy as np

from audit.attributes.people.aligned_face import HEIGHT, WIDTH
from audit.detectors.parts.face import Face

# In distances between the eyes, seen from between them: what moves with a smile, and what does not.
_STILL = {
    **{33: (-0.72, 0), 133: (-0.28, 0), 362: (0.28, 0), 263: (0.72, 0), 152: (0, 1.8), 2: (0, 0.75), 1: (0, 0.66)},
    **{234: (-1.1, 0.25), 454: (1.1, 0.25), 98: (-0.27, 0.7), 327: (0.27, 0.7)},
    **{145: (-0.49, 0.05), 374: (0.49, 0.05), 159: (-0.53, -0.08), 386: (0.53, -0.08)},
}
_OVAL = [(1.1 * np.sin(a), 0.55 - 1.25 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 36, endpoint=False)]


def draw_mesh(wider=0.0, corners_up=0.0, apart=40.0, middle=(100.0, 80.0), degrees=0.0):
    """A mesh (468, 2) whose mouth is ``wider`` on each side, its corners and the cheeks ``corners_up`` higher."""
    mouth = {
        **{61: (-0.38 - wider, 1.1 - corners_up), 291: (0.38 + wider, 1.1 - corners_up)},
        **{78: (-0.32 - wider, 1.09 - corners_up), 308: (0.32 + wider, 1.09 - corners_up)},
        **{0: (0, 0.98), 13: (0, 1.08), 14: (0, 1.13), 17: (0, 1.29)},
        **{205: (-0.62 - wider / 2, 0.67 - corners_up / 3), 425: (0.62 + wider / 2, 0.67 - corners_up / 3)},
    }
    points = np.zeros((468, 2))
    for index, place in (_STILL | mouth).items():
        points[index] = place
    return _placed(points, apart, middle, degrees)


def draw_face(presence=0.99, apart=40.0, middle=(100.0, 80.0), degrees=0.0, **mouth):
    """An accepted face with such a mesh."""
    mesh = draw_mesh(apart=apart, middle=middle, degrees=degrees, **mouth)
    outline = _placed(np.array(_OVAL), apart, middle, degrees)
    low, high = outline.min(0), outline.max(0)
    return Face((*map(float, low), *map(float, high)), float(np.radians(degrees)), outline, 0.9, presence, None, mesh)


def draw_crop(skin=(205, 165, 140), hair=None, noise=3.0):
    """An aligned crop of a face with eyes, nose and mouth; ``hair`` is the colour of a full beard and a moustache."""
    rng, crop = np.random.default_rng(0), np.full((HEIGHT, WIDTH, 3), skin, np.uint8)
    for x in (16, 48):
        cv2.ellipse(crop, (x, 20), (5, 2), 0, 0, 360, (40, 30, 30), -1)
    cv2.line(crop, (29, 40), (35, 40), tuple(int(0.6 * c) for c in skin), 1)
    if hair is not None:
        beard = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(beard, (32, 46), (25, 24), 0, 0, 180, 1, -1)
        cv2.ellipse(beard, (32, 46), (14, 4), 0, 180, 360, 1, -1)
        hairs = np.array(hair) + rng.normal(0, 12, (HEIGHT, WIDTH, 1))
        crop = np.where(beard[..., None] > 0, hairs.clip(0, 255), crop).astype(np.uint8)
    cv2.ellipse(crop, (32, 49), (9, 2), 0, 0, 360, (170, 90, 90), -1)
    return (crop + rng.normal(0, noise, crop.shape)).clip(0, 255).astype(np.uint8)


def _placed(points, apart, middle, degrees):
    radians = np.radians(degrees)
    turn = np.array(((np.cos(radians), -np.sin(radians)), (np.sin(radians), np.cos(radians))))
    return (points @ turn.T * apart + middle).astype(np.float32)
