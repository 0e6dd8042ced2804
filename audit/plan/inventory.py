"""What a plan is made from: the findings to mend, and the images that there are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.data.dataset import Dataset, one_per_group
from audit.plan.plan_json import Removal
from audit.plan.reweighting import states

EXAMPLES = 3


@dataclass(frozen=True)
class Flagged:
    """A finding that the plan is to mend.

    ``present`` and ``known`` (n,) are the cue's state in every image; ``removal`` is how the cue can be masked, None
    where that would take away what the classes are told apart by. ``opposite`` are words for what is there without it.
    """

    finding: str
    cue: str
    words: str
    present: NDArray[np.bool_]
    known: NDArray[np.bool_]
    removal: Removal | None = None
    opposite: str = ""

    def state_in_words(self, is_shown: bool) -> tuple[str, bool]:
        """What is in an image with or without the cue, and whether these words say what is there or what is not."""
        return (self.opposite, True) if self.opposite and not is_shown else (self.words, is_shown)

    @property
    def state(self) -> NDArray[np.int64]:
        """0 without the cue, 1 with it, 2 unknown."""
        return states(self.present, self.known)


@dataclass(frozen=True, eq=False)
class Inventory:
    """The images that there are. ``trust`` (n,), 0..1, is how sure the model is of each one's own label.

    ``min_per_class`` is how many images of a class make it worth an audit.
    """

    dataset: Dataset
    trust: NDArray[np.float64]
    min_per_class: int

    @property
    def originals(self) -> NDArray[np.int64]:
        """The first image of every image's duplicate group (n,)."""
        _, first, group = np.unique(self.dataset.groups, return_index=True, return_inverse=True)
        return np.asarray(first[group.reshape(-1)], np.int64)

    def path(self, image: int) -> str:
        """The path of an image as the dataset has it."""
        return str(self.dataset.images["path"].iloc[image])

    def examples(self, label: int, similar: NDArray[np.bool_]) -> tuple[str, ...]:
        """Three different images of those that are ``similar`` (n,), of the class if there are any.

        Those come first of which the model is surest, since they show what their class looks like.
        """
        images = np.flatnonzero(similar)
        images = images[np.lexsort((-self.trust[images], self.dataset.labels[images] != label))]
        return tuple(map(self.path, one_per_group(images, self.dataset.groups)[:EXAMPLES]))
