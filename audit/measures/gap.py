"""Gap: accuracy where the cue and the class go together minus accuracy where they do not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.measures.intervals import contrast_interval, share_interval
from audit.measures.measure import Bools, Floats, Ints, Measure, Plain, Random, distinct, too_few
from audit.measures.permutation import permuted_labels, refined_p
from audit.measures.ridge_probe import midranks

# (in the class?, shows the cue?), in the order of the coefficients.
CELLS = ((True, True), (True, False), (False, True), (False, False))
TOWARDS = np.array([0.5, -0.5, -0.5, 0.5])
# The class's own half of it: what the cue does for its images, whatever it does for others.
OWN = np.array([1.0, -1.0, 0.0, 0.0])
LEAST, BETWEEN, MOST = 0, 1, 2


def gap(
    correct: Bools,
    in_class: Bools,
    present: Bools,
    groups: Ints,
    folds: Ints,
    rng: Random,
    towards: bool | None = None,
    permutations: int = 500,
    min_images: int = 5,
    words: Sequence[str] = ("class, cue", "class, no cue", "others, cue", "others, no cue"),
) -> Measure:
    """Accuracy where cue and class go together minus accuracy where they do not; range [-1, 1].

    ``correct``, ``in_class``, ``present``, ``groups`` (duplicate group) and ``folds`` have shape (n,). If the cue leans
    ``towards`` the class (None: find out by comparing its shares), "together" are the images of the class with the cue
    and the others without it, "apart" the rest. Estimator: mean of the two cells' accuracies together minus the same
    apart,

        value = 1/2 [(a(class, cue) - a(class, no cue)) + (a(other, no cue) - a(other, cue))].

    Each cell counts the same whatever its size, so a class that is larger or harder, or a cue that makes every image
    harder, adds the same to both sides and makes no gap; only their interplay does. Interval: from Wilson's of the
    four cells (``contrast_interval``), each with its effective number of images; a bootstrap would claim certainty for
    a small cell in which all are right. Measured when each cell has ``min_images`` distinct images. ``n`` is the number
    of images of the smaller side.

    Where the cue leans towards the class, the class's own contrast, a(class, cue) - a(class, no cue), is given beside
    it: that a cue makes images harder cannot raise it, and it needs no other class to show the cue.

    p: permutation test of "within each class, being right has nothing to do with the cue", exact for cells of any size:
    ``correct`` permuted over duplicate groups inside class and fold. The statistic is the larger of the two contrasts
    in units of their standard deviations under permutation (max-T: Westfall & Young 1993), so that p holds for
    whichever of them is looked at.

    ``words`` name the four cells in the order of ``CELLS``. ``extra``: ``together``, ``apart`` (accuracies),
    ``mistakes`` (of all four cells), ``leans`` ("towards" or "away"), ``worst`` (``words``, ``accuracy``, ``n`` of the
    cell with the lowest accuracy); ``own``: ``value``, ``low``, ``high``, ``n``, ``mistakes`` of the class's own.
    """
    table = _Cells.of(correct, in_class, present, groups)
    if towards is None:
        towards = _leans_towards(in_class, present)
    signs = TOWARDS if towards else -TOWARDS
    contrasts = [signs] if table.has(signs, min_images) else []
    own: Mapping[str, Mapping[str, Plain]] = {}
    if towards and table.has(OWN, min_images):
        contrasts, own = [*contrasts, OWN], {"own": table.own()}
    p = _max_t_p(table, np.array(contrasts), 2 * folds + in_class, permutations, rng) if contrasts else None
    if not table.has(signs, min_images):
        rarest = int(np.argmin(table.distinct))
        reason = too_few(int(table.distinct[rarest]), min_images, f"of the kind “{words[rarest]}”")
        return Measure(None, None, None, int(table.counts.min()), p, reason, own)
    low, high = table.interval(signs)
    lowest = int(np.argmin(table.accuracy))
    worst: dict[str, Plain] = {
        "words": words[lowest],
        "accuracy": float(table.accuracy[lowest]),
        "n": int(table.counts[lowest]),
    }
    extra = {
        "together": float(table.accuracy[signs > 0].mean()),
        "apart": float(table.accuracy[signs < 0].mean()),
        "mistakes": int(table.mistakes.sum()),
        "leans": "towards" if towards else "away",
        "worst": worst,
        **own,
    }
    smaller = min(int(table.counts[signs > 0].sum()), int(table.counts[signs < 0].sum()))
    return Measure(float(signs @ table.accuracy), low, high, smaller, p, extra=extra)


def likeness_thirds(scores: Floats, in_class: Bools, folds: Ints) -> NDArray[np.int64]:
    """The third that each image's score is in, (n,): ``LEAST``, ``BETWEEN`` or ``MOST`` like the class.

    For the gap along the leak of a cue that nearly all images show, where a gap by presence would be a coin toss: the
    third that looks most like the class stands for those that show the cue, the third that looks least like it for
    those that do not, and what is between is left out. ``scores`` (n,): of a probe that saw the cue alone and none of
    the fold's images, higher where it takes them for the class. Those of different folds are of different probes, so
    images are ranked inside their class and fold. An image without a score (NaN) counts as between.
    """
    ranks = midranks(scores, 2 * folds + in_class)
    scored = np.isfinite(ranks)
    third = np.full(len(scores), BETWEEN)
    third[scored] = np.minimum(MOST, (ranks[scored] * (MOST + 1)).astype(np.int64))
    return third


def _leans_towards(in_class: Bools, present: Bools) -> bool:
    shown, elsewhere = present[in_class], present[~in_class]
    return not len(shown) or not len(elsewhere) or bool(shown.mean() >= elsewhere.mean())


def cell_words(in_class: bool, present: bool, class_words: str, cue_words: str) -> str:
    """A cell in words.

    >>> cell_words(False, True, "nurse", "the hair")
    'not nurse, with the hair'
    """
    return f"{'' if in_class else 'not '}{class_words}, {'with' if present else 'without'} {cue_words}"


def presence_words(class_words: str, cue_words: str) -> tuple[str, ...]:
    """The four cells in words, in the order of ``CELLS``."""
    return tuple(cell_words(inside, shown, class_words, cue_words) for inside, shown in CELLS)


def likeness_words(class_words: str, cue_words: str) -> tuple[str, ...]:
    """The four cells of a gap along the leak in words, in the order of ``CELLS``.

    >>> likeness_words("nurse", "the hair")[1]
    'nurse, with the hair least like that of nurse'
    """
    return tuple(
        f"{'' if inside else 'not '}{class_words}, with {cue_words} {'most' if shown else 'least'} like that of "
        f"{class_words}"
        for inside, shown in CELLS
    )


@dataclass(frozen=True)
class _Cells:
    """The four cells: ``member`` boolean (4, n), and arrays (4,) of what is in them."""

    correct: Bools
    groups: Ints
    member: NDArray[np.bool_]
    counts: NDArray[np.int64]
    distinct: NDArray[np.int64]
    mistakes: NDArray[np.int64]
    accuracy: NDArray[np.float64]

    @classmethod
    def of(cls, correct: Bools, in_class: Bools, present: Bools, groups: Ints) -> "_Cells":
        member = np.stack([(in_class == inside) & (present == shown) for inside, shown in CELLS])
        counts = member.sum(axis=1)
        right = (member & correct).sum(axis=1)
        accuracy = np.divide(right, counts, out=np.zeros(len(CELLS)), where=counts > 0)
        kinds = np.array([distinct(groups[cell]) for cell in member])
        return cls(correct, groups, member, counts, kinds, counts - right, accuracy)

    def has(self, signs: Floats, min_images: int) -> bool:
        """Whether each cell that a contrast compares has enough distinct images."""
        return bool((self.distinct[signs != 0] >= min_images).all())

    def interval(self, signs: Floats) -> tuple[float, float]:
        """Of the contrast, from those of the cells that it compares."""
        used = signs != 0
        bounds = np.array([share_interval(self.correct[cell], self.groups[cell]) for cell in self.member[used]])
        return contrast_interval(signs[used], self.accuracy[used], bounds[:, 0], bounds[:, 1])

    def own(self) -> Mapping[str, Plain]:
        """The class's own contrast."""
        low, high = self.interval(OWN)
        return {
            "value": float(OWN @ self.accuracy),
            "low": low,
            "high": high,
            "n": int(self.counts[OWN != 0].min()),
            "mistakes": int(self.mistakes[OWN != 0].sum()),
        }


def _max_t_p(table: _Cells, contrasts: Floats, strata: Ints, permutations: int, rng: Random) -> float:
    """p of the largest standardised contrast; ``contrasts`` (k, 4)."""
    rng = np.random.default_rng(rng)

    def permuted(count: int) -> Floats:
        drawn = permuted_labels(table.correct, table.groups, count, rng, strata=strata)
        right = np.stack([np.count_nonzero(drawn[:, cell], axis=1) for cell in table.member], axis=1)
        values: Floats = right / np.maximum(table.counts, 1) @ contrasts.T
        return values

    first = permuted(permutations)
    spread = first.std(axis=0)
    # Contrasts that no permutation changes say nothing.
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-9)
    observed = float((contrasts @ table.accuracy * scale).max())
    return refined_p(observed, (first * scale).max(axis=1), lambda count: (permuted(count) * scale).max(axis=1))
