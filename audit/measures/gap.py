"""Gap: accuracy where the cue and the class go together minus accuracy where they do not."""

import numpy as np

from audit.measures.intervals import contrast_interval, share_interval
from audit.measures.measure import Bools, Ints, Measure, Plain, distinct, too_few, unmeasured

# (in the class?, shows the cue?), in the order of the coefficients.
CELLS = ((True, True), (True, False), (False, True), (False, False))
TOWARDS = np.array([0.5, -0.5, -0.5, 0.5])


def gap(
    correct: Bools,
    in_class: Bools,
    present: Bools,
    groups: Ints,
    towards: bool | None = None,
    min_images: int = 5,
    class_words: str = "the class",
    cue_words: str = "the cue",
) -> Measure:
    """Accuracy where cue and class go together minus accuracy where they do not; range [-1, 1].

    ``correct``, ``in_class``, ``present``, ``groups`` have shape (n,). If the cue leans ``towards`` the class
    (None: find out by comparing its shares), "together" are the images of the class with the cue and the others without
    it, "apart" the rest. Estimator: mean of the two cells' accuracies together minus the same apart,

        value = 1/2 [(a(class, cue) - a(class, no cue)) + (a(other, no cue) - a(other, cue))].

    Each cell counts the same whatever its size, so a class that is larger or harder, or a cue that makes every image
    harder, adds the same to both sides and makes no gap; only their interplay does. Interval: from Wilson's of the
    four cells (``contrast_interval``), each with its effective number of images; a bootstrap would claim certainty for
    a small cell in which all are right. Measured when each cell has ``min_images`` distinct images.

    ``extra``: ``together``, ``apart`` (accuracies), ``leans`` ("towards" or "away"), ``worst`` (``words``,
    ``accuracy``, ``n`` of the cell with the lowest accuracy).
    """
    masks = [(in_class == inside) & (present == shown) for inside, shown in CELLS]
    words = [cell_words(inside, shown, class_words, cue_words) for inside, shown in CELLS]
    have = [distinct(groups[mask]) for mask in masks]
    rarest = int(np.argmin(have))
    if reason := too_few(have[rarest], min_images, f"of the kind “{words[rarest]}”"):
        return unmeasured(reason, len(correct))
    accuracy = np.array([correct[mask].mean() for mask in masks])
    bounds = np.array([share_interval(correct[mask], groups[mask]) for mask in masks])
    if towards is None:
        towards = bool(present[in_class].mean() >= present[~in_class].mean())
    signs = TOWARDS if towards else -TOWARDS
    low, high = contrast_interval(signs, accuracy, bounds[:, 0], bounds[:, 1])
    lowest = int(np.argmin(accuracy))
    worst: dict[str, Plain] = {
        "words": words[lowest],
        "accuracy": float(accuracy[lowest]),
        "n": int(masks[lowest].sum()),
    }
    extra = {
        "together": float(accuracy[signs > 0].mean()),
        "apart": float(accuracy[signs < 0].mean()),
        "leans": "towards" if towards else "away",
        "worst": worst,
    }
    return Measure(float(signs @ accuracy), low, high, len(correct), extra=extra)


def cell_words(in_class: bool, present: bool, class_words: str, cue_words: str) -> str:
    """A cell in words.

    >>> cell_words(False, True, "nurse", "the hair")
    'not nurse, with the hair'
    """
    return f"{'' if in_class else 'not '}{class_words}, {'with' if present else 'without'} {cue_words}"
