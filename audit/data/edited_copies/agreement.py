"""How far one picture, laid onto another, shows the same: alignment by local features, then pixel by pixel."""

import cv2
import numpy as np
from numpy.typing import NDArray

from audit.data.edited_copies.local_features import Features, LocalFeatures

# Share of the common part that agrees in two copies of one picture. Chosen on four sets of ``tests.bench.copies`` and
# on the people of ``audit/demo``, who are drawn by one template: these reach 0.69, and a caption costs a copy 0.2.
MIN_AGREEMENT = 0.7
# Features that must be in line, and how far from it, in pixels of the small picture.
_LEAST_IN_LINE = 8
_TOLERANCE = 1.5
_MOST_BITS, _CLEARLY_NEARER = 64, 0.85
# What an edit does: neither picture becomes less than 0.3 of the other in length, nor stretched by more than 1.8.
_LEAST_SCALE, _MOST_STRETCH = 0.3, 1.8
# Shares of the two pictures that both show: a ruler or a logo alone is no copy.
_LEAST_OF_ONE, _LEAST_OF_OTHER = 0.5, 0.2
_WINDOW = 12
# Correlation from which a window agrees, and grey levels squared below which there is nothing to compare in it.
_AGREES, _LEAST_VARIANCE = 0.93, 6.0
_LEAST_COMPARED = 60

Transform = NDArray[np.float64]
Grey = NDArray[np.float32]


def agreement(picture: LocalFeatures, other: LocalFeatures, mirrored: bool) -> float:
    """Share of what both pictures show in which they agree, 0..1, the first one perhaps ``mirrored``; 0 if unrelated.

    The first is laid onto the other by a similarity and by an affine transform of matched features (RANSAC: Fischler &
    Bolles 1981); the better one counts. The two agree where their grey levels correlate by at least 0.93 in a window of
    12 pixels; windows without contrast in either are left out. Brightness and contrast do not matter.
    """
    small, features = picture.side(mirrored)
    source, target = _matched(features, other.plain)
    if len(source) < _LEAST_IN_LINE:
        return 0.0
    best = 0.0
    for estimate in (cv2.estimateAffinePartial2D, cv2.estimateAffine2D):
        estimated, in_line = estimate(source, target, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE)
        if estimated is None or int(in_line.sum()) < _LEAST_IN_LINE:
            continue
        transform = np.asarray(estimated, np.float64)
        if _is_an_edit(transform[:, :2]):
            best = max(best, _agreeing_share(small, other.small, transform))
    return best


def _matched(features: Features, others: Features) -> tuple[Grey, Grey]:
    """Places of features that are clearly nearest to each other, both float32 (m, 2)."""
    if min(len(features.points), len(others.points)) < _LEAST_IN_LINE:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    nearest = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(features.descriptors, others.descriptors, k=2)
    kept = [
        first
        for first, second in nearest
        if first.distance <= _MOST_BITS and first.distance < _CLEARLY_NEARER * second.distance
    ]
    return (
        features.points[[match.queryIdx for match in kept]],
        others.points[[match.trainIdx for match in kept]],
    )


def _is_an_edit(linear: Transform) -> bool:
    large, little = np.linalg.svd(linear, compute_uv=False)
    upright = np.linalg.det(linear) > 0
    return bool(upright and little >= _LEAST_SCALE and large <= min(1 / _LEAST_SCALE, _MOST_STRETCH * little))


def _agreeing_share(small: NDArray[np.uint8], other: NDArray[np.uint8], transform: Transform) -> float:
    """Share of the windows with contrast, in the part that both show, whose correlation is high enough; 0 where that
    part is small or shows nothing."""
    height, width = other.shape
    laid = cv2.warpAffine(small.astype(np.float32), transform, (width, height))
    inside = cv2.warpAffine(np.ones(small.shape, np.float32), transform, (width, height)) > 0.99
    common = np.count_nonzero(inside)
    shares = sorted((common / inside.size, common / (small.size * abs(np.linalg.det(transform[:, :2])))))
    if shares[0] < _LEAST_OF_OTHER or shares[1] < _LEAST_OF_ONE:
        return 0.0
    laid = _smooth(np.where(inside, laid, 0).astype(np.float32))
    beneath = _smooth(other.astype(np.float32))
    whole = cv2.erode(inside.astype(np.uint8), np.ones((_WINDOW, _WINDOW), np.uint8)) > 0
    means = _windows(laid), _windows(beneath)
    variances = _windows(laid * laid) - means[0] ** 2, _windows(beneath * beneath) - means[1] ** 2
    compared = whole & (np.maximum(*variances) > _LEAST_VARIANCE)
    if np.count_nonzero(compared) < _LEAST_COMPARED:
        return 0.0
    covariance = (_windows(laid * beneath) - means[0] * means[1])[compared]
    # A window that is flat in one picture only does not agree, whatever its noise says.
    floor = _LEAST_VARIANCE / 6
    spread = np.sqrt(np.maximum(variances[0][compared], floor) * np.maximum(variances[1][compared], floor))
    return float(np.mean(covariance > _AGREES * spread))


def _smooth(picture: Grey) -> Grey:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.float32)


def _windows(values: Grey) -> Grey:
    """The mean of the values in a window around every pixel."""
    return np.asarray(cv2.boxFilter(values, -1, (_WINDOW, _WINDOW)), np.float32)
