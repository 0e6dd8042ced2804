"""Orders that can be filled: how many photographs of what, what must stay as it is, and pictures of what is meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.cues.differences import Trait
from audit.data.dataset import one_per_group
from audit.plan.inventory import Flagged, Inventory
from audit.plan.plan_json import CueState, Order, state_words

# Orders are rounded to so many photographs; smaller ones are not worth an order.
STEP = 5
AVOID = 2
_KEPT = 3
# What fewer of a class show is no property of the class that new photographs should keep.
_LEAST_KEPT = 0.2
# Of so much of a class it must be known what they show.
_LEAST_KNOWN = 0.8


@dataclass(frozen=True)
class JointCell:
    """Images of one class in one state of several cues; ``states`` are words of what is or is not in the picture.

    ``cues`` are the names of the cues and their states, in the same order. ``keep`` are what new ones should be like in
    all else, ``avoid`` images of the class that are in another state.
    """

    label: str
    states: tuple[tuple[str, bool], ...]
    have: int
    need: int
    examples: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    avoid: tuple[str, ...] = ()
    cues: tuple[tuple[str, bool], ...] = ()

    @property
    def add(self) -> int:
        """How many are missing."""
        return self.need - self.have

    @property
    def ask(self) -> int:
        """How many to order: what is missing, rounded; 0 where it is fewer than a step."""
        return rounded(self.add) if self.add >= STEP else 0

    @property
    def first(self) -> int:
        """How many of these to collect first, a quarter, before the rest is decided on."""
        return min(self.ask, max(STEP, rounded(self.ask / 4))) if self.ask else 0

    @property
    def state(self) -> str:
        """The cues' states in words."""
        return state_words(self.states)

    def order(self) -> Order:
        """The cell as audit.json holds it."""
        return Order(
            label=self.label,
            state=self.state,
            cues=tuple(
                CueState(cue=cue, present=present, words=state_words([words]))
                for (cue, present), words in zip(self.cues, self.states, strict=True)
            ),
            have=self.have,
            need=self.need,
            add=self.add,
            ask=self.ask,
            first=self.first,
            keep=self.keep,
            examples=self.examples,
            avoid=self.avoid,
            sentence=self.sentence(),
        )

    def sentence(self) -> str:
        """What to collect, to be copied into an order."""
        if not self.ask:
            return f"Fewer than {STEP} photographs of “{self.label}” {self.state} are missing: no order is needed."
        like = "like these" if self.have else "as in these of another class"
        kept = f" Keep the rest as it is now: {'; '.join(self.keep)}." if self.keep else ""
        return f"Collect about {self.ask} photographs of “{self.label}” {self.state}, {like}.{kept}"


def rounded(count: float) -> int:
    """To the nearest multiple of STEP.

    >>> rounded(89), rounded(7.4)
    (90, 5)
    """
    return STEP * round(count / STEP)


def with_company(
    cell: JointCell, inventory: Inventory, chosen: Sequence[Flagged], traits: Sequence[Trait], inside: NDArray[np.bool_]
) -> JointCell:
    """The cell with what its new images should keep, and with two images of the class that are not in its state.

    ``inside`` boolean (n,): the images of any class in the cell's state.
    """
    in_class = inventory.dataset.labels == inventory.dataset.classes.index(cell.label)
    images = np.flatnonzero(in_class & ~inside)
    surest = images[np.argsort(-inventory.trust[images], kind="stable")]
    avoid = tuple(map(inventory.path, one_per_group(surest, inventory.dataset.groups)[:AVOID]))
    return replace(cell, keep=tuple(_kept(traits, in_class, {flag.cue for flag in chosen})), avoid=avoid)


def _kept(traits: Sequence[Trait], in_class: NDArray[np.bool_], mended: set[str]) -> Iterator[str]:
    """The commonest attributes of a class, one of each topic, with the share that shows them.

    Not those of the regions or of the topics of what is to be mended: these are to change. Nor what people are taken
    for by a classifier.
    """
    changing = {one for trait in traits if trait.attribute.name in mended for one in _place_and_topic(trait)} | mended
    shares = []
    for trait in (one for one in traits if not one.attribute.apparent):
        known = in_class & trait.known
        if known.sum() >= _LEAST_KNOWN * in_class.sum() and not changing & set(_place_and_topic(trait)):
            shares.append((float(trait.shown[known].mean()), trait))
    topics: set[str] = set()
    for share, trait in sorted(shares, key=lambda one: -one[0]):
        if share >= _LEAST_KEPT and trait.attribute.topic not in topics and len(topics) < _KEPT:
            topics.add(trait.attribute.topic)
            yield f"{trait.attribute.words} in about {max(1, round(10 * share))} of 10"


def _place_and_topic(trait: Trait) -> tuple[str, str]:
    return trait.attribute.within, trait.attribute.topic
