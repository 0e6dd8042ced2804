"""Faces: two BlazeFace detectors that check each other, and a face mesh for the outline.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (2019); Kartynnik et al.,
"Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs" (2019).
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.detectors.cue import Cue, Mask, Sighting
from audit.detectors.photo import Photo, Pixels, shared
from audit.store.model_files import FACE_BACK, FACE_FULL_RANGE, FACE_MESH, ModelFile

Floats = NDArray[np.float32]
FACE_MODELS = (FACE_BACK, FACE_FULL_RANGE, FACE_MESH)

_CANDIDATE_SCORE = 0.4
_SAME_FACE_IOU = 0.3
# Fitted on every other photograph of doctors and nurses, cats and dogs, and faces turned and shrunk; failures of all
# of them were looked at.
_MEAN_SCORE = 0.65
_BACK_SCORE, _BACK_PRESENCE, _NEAR_SCORE = 0.7, 0.9, 0.65
_OUTLINE_PRESENCE = 0.5
_MOST_FACES = 10
_MESH_SIDE, _MESH_MARGIN = 192, 1.5
_NEAR_MARGIN = 3.0
_EYES_APART = 0.3
_LEAST_AREA = 0.0005
# The mesh's points around the face, forehead first, clockwise as seen in the picture.
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
# Those around both eyes and the bridge of the nose, along the brows and back along the cheekbones.
_EYES = (
    *(46, 53, 52, 65, 55, 285, 295, 282, 283, 276, 372, 340, 346),
    *(347, 348, 349, 350, 357, 128, 121, 120, 119, 118, 117, 111, 143),
)


@dataclass(frozen=True)
class BlazeFace:
    """One of the BlazeFace networks: its square input's side in pixels, and (stride, anchors per cell) of its grids."""

    model: ModelFile
    side: int
    grids: tuple[tuple[int, int], ...]
    scores: str
    boxes: str


BACK = BlazeFace(FACE_BACK, 256, ((16, 2), (32, 6)), "classificators", "regressors")
FULL_RANGE = BlazeFace(FACE_FULL_RANGE, 192, ((4, 1),), "reshaped_classifier_face_4", "reshaped_regressor_face_4")


@dataclass(frozen=True)
class Candidates:
    """Faces proposed by one network, best first: ``scores`` (n,) in [0, 1], ``boxes`` (n, 4) as x0, y0, x1, y1 and
    ``eyes`` (n, 2, 2) as the x, y of the two eyes, all in pixels of the photograph."""

    scores: Floats
    boxes: Floats
    eyes: Floats


@dataclass(frozen=True)
class Face:
    """An accepted face, in pixels of the photograph.

    ``box``: x0, y0, x1, y1 from about the eyebrows to the chin; ``angle``: radians by which the line through the eyes
    is turned clockwise; ``outline``: (n, 2) points around the skin of the face; ``presence``: the mesh's in [0, 1];
    ``eyes``: (n, 2) points around both eyes and what may be worn before them; ``mesh``: all its (468, 2) points, None
    where it does not fit.
    """

    box: tuple[float, float, float, float]
    angle: float
    outline: Floats
    score: float
    presence: float
    eyes: Floats | None = None
    mesh: Floats | None = None

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the outline's own box."""
        low, high = self.outline.min(0), self.outline.max(0)
        return float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the outline, measured along and across the line through the eyes."""
        turned = self.outline @ rotation(-self.angle).T
        width, height = turned.max(0) - turned.min(0)
        return float(width), float(height)


@cache
def anchors(network: BlazeFace) -> Floats:
    """Centres of the network's anchors, relative to its input, (n, 2) as x, y; read-only.

    >>> anchors(BACK).shape, anchors(FULL_RANGE).shape
    ((896, 2), (2304, 2))
    """
    parts = []
    for stride, count in network.grids:
        cells = np.arange(network.side // stride) + 0.5
        x, y = np.meshgrid(cells, cells)
        parts.append(np.repeat(np.stack((x, y), -1).reshape(-1, 2), count, axis=0) * stride / network.side)
    centres = np.concatenate(parts).astype(np.float32)
    centres.setflags(write=False)
    return centres


def decode(network: BlazeFace, logits: Floats, raw: Floats) -> Candidates:
    """Turn the network's output into candidates, in pixels of its input.

    ``logits`` (n,); ``raw`` (n, 16): offset of the box's centre from the anchor, its width and height, then the offsets
    of six points of which the first two are the eyes, all in pixels of the input.
    """
    scores = _sigmoid(logits)
    chosen = np.flatnonzero(scores >= _CANDIDATE_SCORE)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    base, raw = anchors(network)[chosen] * network.side, raw[chosen]
    centre, half = base + raw[:, :2], raw[:, 2:4] / 2
    eyes = raw[:, 4:8].reshape(-1, 2, 2) + base[:, None]
    boxes = np.concatenate((centre - half, centre + half), 1)
    return Candidates(scores[chosen], boxes.astype(np.float32), eyes.astype(np.float32))


def weighted_suppression(found: Candidates, overlap: float = _SAME_FACE_IOU) -> Candidates:
    """Score-weighted non-maximum suppression (Bazarevsky et al. 2019): one candidate for each overlapping group.

    Its boxes and eyes are means weighted by score, its score is the group's highest. ``overlap`` is the least
    intersection over union, 0..1, with the best candidate of the group. Returned by descending score.
    """
    left = np.arange(len(found.scores))
    scores, boxes, eyes = [], [], []
    while len(left):
        same = iou(found.boxes[left[:1]], found.boxes[left])[0] >= overlap
        same[0] = True  # a box without area overlaps nothing, itself included
        group = left[same]
        scores.append(found.scores[group[0]])
        boxes.append(np.average(found.boxes[group], axis=0, weights=found.scores[group]))
        eyes.append(np.average(found.eyes[group], axis=0, weights=found.scores[group]))
        left = left[~same]
    return Candidates(_stack(scores, ()), _stack(boxes, (4,)), _stack(eyes, (2, 2)))


def iou(first: Floats, second: Floats) -> Floats:
    """Intersection over union of every pair of boxes (n, 4) and (m, 4): (n, m) in [0, 1]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - common
    ratio: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return ratio


@shared
def find_faces(photo: Photo) -> tuple[Face, ...]:
    """The accepted faces, largest first.

    The two detectors fail differently (``back`` fires on animals, ``full`` misses turned and small faces and fires on
    odd things). A face is accepted when both see it and their mean score is high, or when ``back`` alone is sure, the
    mesh fits, and ``full`` sees it in an upright crop from near.
    """
    back = _candidates(photo, BACK)
    if not len(back.scores):  # nothing that ``full`` sees alone is accepted
        return ()
    full = _full_range(photo)
    same = iou(full.boxes, back.boxes) >= _SAME_FACE_IOU
    both = same & ((full.scores[:, None] + back.scores) / 2 > _MEAN_SCORE)
    faces = [_mesh_face(photo, full, int(i)) for i in np.flatnonzero(both.any(1))]
    for j in np.flatnonzero(~both.any(0) & (back.scores > _BACK_SCORE)):
        face = _mesh_face(photo, back, int(j))
        if face.presence > _BACK_PRESENCE and _score_near(photo, back.boxes[j], face.angle) > _NEAR_SCORE:
            faces.append(face)
    return tuple(sorted(faces, key=lambda face: -_area(face.box))[:_MOST_FACES])


def unconfirmed_score(photo: Photo) -> float:
    """The full-range network's best score, 0..1, in a photograph without an accepted face; 0 below a candidate's.

    It sees most of the faces that are not accepted since something covers them, and hardly an animal's, which ``back``
    takes for faces.
    """
    return float(_full_range(photo).scores.max(initial=0.0))


@shared
def face_mask(photo: Photo) -> Mask:
    """Inside of all accepted faces' outlines."""
    mask = np.zeros(photo.shape, np.uint8)
    for face in find_faces(photo):
        cv2.fillPoly(mask, [np.round(face.outline).astype(np.int32)], 1)
    return mask.astype(bool)


class FaceDetector:
    """The faces of people."""

    name = "face"
    version = 3
    cues: tuple[Cue, ...] = (Cue("face", "the face", "part", within="person"),)
    models: tuple[ModelFile, ...] = FACE_MODELS
    keepable = True

    def detect(self, photo: Photo) -> dict[str, Sighting]:
        """Present when a face is accepted; the mask is the inside of the outlines.

        The score of an absent one is above 0 where one of the two detectors sees a face that the other does not.
        """
        if not find_faces(photo):
            return {"face": Sighting(False, unconfirmed_score(photo), None)}
        score = max(face.score for face in find_faces(photo))
        return {"face": Sighting.of_mask(face_mask(photo), score, _LEAST_AREA)}


@shared
def _full_range(photo: Photo) -> Candidates:
    return _candidates(photo, FULL_RANGE)


def _candidates(photo: Photo, network: BlazeFace) -> Candidates:
    square, scale, shift = _letterbox(photo.pixels, network.side)
    found = _run(photo, network, square)
    return Candidates(
        found.scores,
        ((found.boxes.reshape(-1, 2, 2) - shift) / scale).reshape(-1, 4).astype(np.float32),
        ((found.eyes - shift) / scale).astype(np.float32),
    )


def _run(photo: Photo, network: BlazeFace, square: Pixels) -> Candidates:
    """What a network sees in a picture of its input's size, in pixels of that."""
    outputs = photo.networks.run(network.model, square, -1.0, 1.0)
    return weighted_suppression(
        decode(network, outputs[network.scores].reshape(-1), outputs[network.boxes].reshape(-1, 16))
    )


def _score_near(photo: Photo, box: Floats, angle: float) -> float:
    """The full-range network's score for the face in the middle of an upright crop three boxes wide, 0 without one."""
    side = FULL_RANGE.side
    to_crop = crop_transform(box, angle, side, _NEAR_MARGIN)
    crop = cv2.warpAffine(photo.pixels, to_crop, (side, side), flags=cv2.INTER_LINEAR)
    found = _run(photo, FULL_RANGE, crop.astype(np.uint8, copy=False))
    low, high = side * (1 - 1 / _NEAR_MARGIN) / 2, side * (1 + 1 / _NEAR_MARGIN) / 2
    middle = iou(np.array([(low, low, high, high)], np.float32), found.boxes)[0] >= _SAME_FACE_IOU
    return float(found.scores[middle].max(initial=0.0))


def _letterbox(pixels: Pixels, side: int) -> tuple[Pixels, float, Floats]:
    """Fit into a black square: the square, the factor by which the picture shrank, and where its corner came to lie."""
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.zeros((side, side, 3), np.uint8)
    square[y : y + size[1], x : x + size[0]] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return square, scale, np.array((x, y), np.float32)


def _mesh_face(photo: Photo, found: Candidates, index: int) -> Face:
    box, eyes, score = found.boxes[index], found.eyes[index], float(found.scores[index])
    angle = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    presence, points = _fit_mesh(photo, box, angle)
    x0, y0, x1, y1 = map(float, box)
    if presence < _OUTLINE_PRESENCE:
        return Face((x0, y0, x1, y1), angle, ellipse_outline(box, angle), score, presence, ellipse_eyes(box, eyes))
    outline, around_eyes = points[list(_OVAL)], points[list(_EYES)]
    return Face((x0, y0, x1, y1), angle, outline, score, presence, around_eyes, points)


def _fit_mesh(photo: Photo, box: Floats, angle: float) -> tuple[float, Floats]:
    """The mesh's presence in [0, 1] and its 468 points (468, 2) in pixels of the photograph."""
    to_crop = crop_transform(box, angle)
    crop = cv2.warpAffine(photo.pixels, to_crop, (_MESH_SIDE, _MESH_SIDE), flags=cv2.INTER_LINEAR)
    outputs = photo.networks.run(FACE_MESH, crop.astype(np.uint8, copy=False))
    points = outputs["conv2d_21"].reshape(468, 3)[:, :2]
    presence = float(_sigmoid(outputs["conv2d_31"]).item())
    back = cv2.invertAffineTransform(to_crop)
    return presence, (points @ back[:, :2].T + back[:, 2]).astype(np.float32)


def crop_transform(
    box: Floats, angle: float, side: int = _MESH_SIDE, margin: float = _MESH_MARGIN
) -> NDArray[np.float64]:
    """Affine map (2, 3) from the photograph to a square, the mesh's input, that holds the upright, enlarged box."""
    centre = (box[:2] + box[2:]) / 2
    scale = side / max(margin * float((box[2:] - box[:2]).max()), 1.0)
    linear = scale * rotation(-angle)
    return np.column_stack((linear, side / 2 - linear @ centre))


def ellipse_outline(box: Floats, angle: float, points: int = 36) -> Floats:
    """A face-shaped ellipse (points, 2) around a box, for faces that the mesh does not fit: half turned, dark, covered.

    The box ends near the eyebrows, so that the ellipse reaches beyond it towards the forehead.
    """
    width, height = box[2:] - box[:2]
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    upright = np.stack((0.45 * width * np.sin(turn), -0.6 * height * np.cos(turn) - 0.06 * height), 1)
    return (upright @ rotation(angle).T + (box[:2] + box[2:]) / 2).astype(np.float32)


def ellipse_eyes(box: Floats, eyes: Floats, points: int = 24) -> Floats:
    """An ellipse (points, 2) around two eyes (2, 2), for faces that the mesh does not fit.

    The eyes of a face in profile lie close together; the box says how wide the ellipse is at least.
    """
    offset = eyes[1] - eyes[0]
    apart = max(float(np.hypot(*offset)), _EYES_APART * float(box[2] - box[0]))
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    upright = apart * np.stack((1.05 * np.cos(turn), 0.42 * np.sin(turn)), 1)
    angle = float(np.arctan2(offset[1], offset[0]))
    return np.asarray(upright @ rotation(angle).T + eyes.mean(0), np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)


def rotation(angle: float) -> NDArray[np.float64]:
    """The matrix (2, 2) that turns (x, y) by an angle in radians, from x towards y."""
    return np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))


def _stack(rows: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, *shape)


def _area(box: tuple[float, float, float, float]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
