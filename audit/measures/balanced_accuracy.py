"""Balanced accuracy: the accuracy if the cue were independent of the class, by importance weighting."""

import numpy as np

from audit.measures.intervals import contrast_interval, effective_count, share_interval
from audit.measures.measure import Bools, Floats, Ints, Measure, distinct, too_few, unmeasured


def balanced_accuracy(
    correct: Bools | Floats, labels: Ints, state: Ints | Bools, groups: Ints, min_images: int = 5
) -> Measure:
    """Accuracy as it would be on images of the same classes and cue states, were these independent; in [0, 1].

    ``correct``, ``labels`` y, cue ``state`` s and ``groups`` have shape (n,); ``correct`` may be shares, of several
    models. Estimator: every image counts w(y, s) = P(y) P(s) / P(y, s) (importance weighting; the weights of
    ``reweighting.rake``, not clipped), so with the accuracy a(y, s) of each cell

        value = sum w correct / n = sum over y, s of P(y) P(s) a(y, s).

    The shares P(y) and P(s) are taken as given: they describe the images that are asked about. Interval: from
    Wilson's of the cells (``contrast_interval``), which keeps a width where a small cell is all right. Measured when
    every class has ``min_images`` distinct images in every state.

    ``extra``: ``plain``, the accuracy on the images as they are, and ``effective_n``, the number of images
    without weights that would tell as much (Kish 1965).
    """
    classes, y = np.unique(labels, return_inverse=True)
    states, s = np.unique(state, return_inverse=True)
    cells = [(y == label) & (s == value) for label in range(len(classes)) for value in range(len(states))]
    rarest = min(distinct(groups[cell]) for cell in cells)
    if reason := too_few(rarest, min_images, "of the rarest combination of class and content"):
        return unmeasured(reason, len(correct))
    shares = np.outer(np.bincount(y), np.bincount(s)).ravel() / len(correct) ** 2
    accuracy = np.array([correct[cell].mean() for cell in cells])
    bounds = np.array([share_interval(correct[cell], groups[cell]) for cell in cells])
    low, high = contrast_interval(shares, accuracy, bounds[:, 0], bounds[:, 1])
    counts = np.array([effective_count(groups[cell]) for cell in cells])
    extra = {"plain": float(correct.mean()), "effective_n": float(1 / (shares**2 / counts).sum())}
    return Measure(float(shares @ accuracy), max(0.0, low), min(1.0, high), len(correct), extra=extra)


def beats_guessing(correct: Bools, labels: Ints, groups: Ints) -> bool:
    """Whether the mean of the classes' accuracies is surely above that of guessing, 1 by the number of classes.

    ``correct``, ``labels`` and ``groups`` have shape (n,). The 95 % interval is that of a contrast of Wilson's.
    """
    classes = np.unique(labels)
    accuracy = np.array([correct[labels == label].mean() for label in classes])
    bounds = np.array([share_interval(correct[labels == label], groups[labels == label]) for label in classes])
    low, _ = contrast_interval(np.full(len(classes), 1 / len(classes)), accuracy, bounds[:, 0], bounds[:, 1])
    return low > 1 / len(classes)
