"""Four strategies that make flagged cues independent of the class: what each costs, and what it leaves."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from audit.cues.differences import Trait
from audit.data.batches import Images
from audit.plan.inventory import Flagged, Inventory
from audit.plan.orders import JointCell, with_company
from audit.plan.plan_json import (
    Collecting,
    Dropping,
    MaskedCue,
    Masking,
    PlanCell,
    Removal,
    Weighting,
    state_words,
)
from audit.plan.rebalancing import JointTable, fewest_to_add, fewest_to_drop
from audit.plan.reweighting import CLIP, effective_n, rake, shopping_list
from audit.text import percent

# More cues at once than this make a shopping list that nobody can read.
JOINT = 4
_MASKED: dict[Removal, str] = {"crop": "cut off", "inpaint": "painted over", "blur": "blurred"}


def cells(inventory: Inventory, flagged: Flagged) -> list[PlanCell]:
    """The fewest images to collect so that the cue is equally common in every class, two cells per class."""
    dataset, known = inventory.dataset, flagged.known
    return [
        PlanCell(
            finding=flagged.finding,
            cue=flagged.cue,
            words=flagged.words,
            **({"opposite": flagged.opposite} if flagged.opposite else {}),
            label=dataset.classes[cell.label],
            present=cell.present,
            have=cell.have,
            need=cell.need,
            add=cell.add,
            examples=inventory.examples(cell.label, known & (flagged.present == cell.present)),
        )
        for cell in shopping_list(dataset.labels[known], flagged.state[known], len(dataset.classes))
    ]


def together(flagged: Sequence[Flagged]) -> list[Flagged]:
    """The gravest findings, at most four, to be mended at once; one that mirrors another is mended with it."""
    chosen: list[Flagged] = []
    for candidate in flagged:
        if not any(_mirrors(candidate, earlier) for earlier in chosen):
            chosen.append(candidate)
    return chosen[:JOINT]


def collect(
    inventory: Inventory, flagged: Sequence[Flagged], marks: Sequence[Flagged] = (), traits: Sequence[Trait] = ()
) -> tuple[Collecting, list[JointCell]]:
    """The fewest images to collect so that the gravest cues, all at once, are equally common in every class.

    Of ``marks`` that can be taken off the images it is said that collecting is the wrong way to mend them; ``traits``
    are what new images should keep. Images in which one of the cues is unknown are left out of the count (``unknown``).
    """
    chosen = together(flagged)
    orders = _joint_cells(inventory, chosen, traits) if chosen else []
    known = np.logical_and.reduce([flag.known for flag in chosen]) if chosen else np.ones(len(inventory.trust), bool)
    new, old, possible = sum(cell.ask for cell in orders), len(known), bool(known.any())
    cost = f"about {new:,} new photographs of {sum(cell.ask > 0 for cell in orders)} kinds, a quarter of them first"
    sentence = "Always possible, and the model learns from more photographs rather than from fewer."
    if wrong := _better_taken_off(chosen, marks):
        sentence = f"Do not collect photographs without {' or '.join(wrong)}: take it off those that there are (Mask)."
    if not possible:
        cost, sentence = "", "Cannot be worked out: in every photograph at least one of the cues is unknown."
    mended = _mended(flagged, chosen)
    collecting = Collecting(
        possible=possible,
        images=new,
        findings=mended,
        not_covered=tuple(flag.finding for flag in flagged if flag.finding not in mended),
        unknown=int((~known).sum()),
        cells=tuple(cell.order() for cell in orders),
        cost=cost,
        left=f"all {old:,} photographs, {old + new:,} with the new ones",
        sentence=sentence,
    )
    return collecting, orders


def drop(inventory: Inventory, flagged: Sequence[Flagged]) -> tuple[Dropping, list[tuple[int, str]]]:
    """The fewest images to leave out so that the gravest cues are equally common in every class: images with reasons.

    Of the images of one class in one state, copies of others go first, then those that the model is surest of:
    they teach it least. Where a cue is unknown, that counts as a state of its own.
    """
    chosen = together(flagged)
    states = _states(inventory, chosen)
    table = JointTable.of(inventory.dataset.labels, states, len(inventory.dataset.classes))
    keep = fewest_to_drop(table, inventory.min_per_class) if chosen else table.counts
    left_out = [] if keep is None else sorted(_left_out(inventory, chosen, table, keep))
    n, remaining = len(left_out), len(inventory.trust) - len(left_out)
    cost = f"{n:,} of {len(inventory.trust):,} photographs are not used"
    left = f"{remaining:,} photographs, the same part of every class"
    sentence = "Needs no new photographs. Copies go first, then photographs that the model is surest of."
    if keep is None:
        why = _missing(inventory, chosen) or "the findings pull in different directions"
        cost, left = "", f"fewer than {inventory.min_per_class} photographs of a class"
        sentence = f"Not possible here: {why}, so that too few photographs would be left."
    dropping = Dropping(
        possible=keep is not None,
        images=n,
        left_images=remaining,
        findings=_mended(flagged, chosen),
        classes={} if keep is None else dict(zip(inventory.dataset.classes, keep.sum(1).tolist(), strict=True)),
        file="plan/drop.csv",
        cost=cost,
        left=left,
        sentence=sentence,
    )
    return dropping, left_out


def weight(inventory: Inventory, flagged: Sequence[Flagged]) -> tuple[Weighting, NDArray[np.float64]]:
    """Weights (n,) under which every flagged cue is independent of the class: by raking."""
    raking = rake(inventory.dataset.labels, _states(inventory, flagged))
    worth, n = effective_n(raking.weights), len(inventory.trust)
    sentence = "Needs no new photographs and leaves none out, but leans heavily on the few rare ones."
    if not raking.converged:
        why = _missing(inventory, flagged) or (
            f"the findings contradict each other, or some combinations are so rare that {CLIP:.0f} times is not enough"
        )
        sentence = f"Balances only in part: {why}."
    weighting = Weighting(
        possible=raking.converged,
        findings=tuple(flag.finding for flag in flagged),
        effective_n=round(worth, 1),
        largest=round(float(raking.weights.max()), 3),
        smallest=round(float(raking.weights.min()), 3),
        clip=CLIP,
        file="plan/weights.csv",
        cost=f"certainty: {n:,} weighted photographs are worth about {worth:,.0f}",
        left=f"all {n:,} photographs, rare combinations counted up to {raking.weights.max():.2g} times",
        sentence=sentence,
    )
    return weighting, raking.weights


def mask(marks: Sequence[Flagged]) -> Masking:
    """Which of the findings' cues can be masked, and in how many images."""
    maskable = [(flag, flag.removal) for flag in marks if flag.removal is not None]
    if not maskable:
        return Masking(
            possible=False,
            images=0,
            cues=(),
            cost="",
            left="",
            sentence="Not offered: no finding is a mark on the picture, and none was declared to have nothing to do "
            "with the classes (irrelevant_cues).",
        )
    images = int(np.logical_or.reduce([flag.present for flag, _ in maskable]).sum())
    return Masking(
        possible=True,
        images=images,
        cues=tuple(
            MaskedCue(finding=flag.finding, cue=flag.cue, words=flag.words, how=removal, images=int(flag.present.sum()))
            for flag, removal in maskable
        ),
        cost=f"{images:,} photographs are changed",
        left="all photographs; " + ", ".join(f"{flag.words} {_MASKED[removal]}" for flag, removal in maskable),
        sentence="Mends only these findings. What is judged later must be changed in the same way, and traces can "
        "remain: audit the changed photographs again.",
    )


def _mirrors(first: Flagged, second: Flagged) -> bool:
    """Whether two cues are one: equal in every image, or opposite in every image."""
    both_known = first.known & second.known
    same = first.present[both_known] == second.present[both_known]
    return bool(np.array_equal(first.known, second.known) and (same.all() or not same.any()))


def _mended(flagged: Sequence[Flagged], chosen: Sequence[Flagged]) -> tuple[str, ...]:
    return tuple(flag.finding for flag in flagged if any(_mirrors(flag, other) for other in chosen))


def _states(inventory: Inventory, flagged: Sequence[Flagged]) -> NDArray[np.int64]:
    """One column per cue (n, k)."""
    return np.stack([flag.state for flag in flagged], 1) if flagged else np.zeros((len(inventory.trust), 0), np.int64)


def _better_taken_off(chosen: Sequence[Flagged], marks: Sequence[Flagged]) -> list[str]:
    """The words of those of the ``chosen`` cues that are marks which can be taken off an image."""
    removable = {mark.cue for mark in marks if mark.removal in ("crop", "inpaint")}
    return [flag.words for flag in chosen if flag.cue in removable]


def _joint_cells(inventory: Inventory, chosen: Sequence[Flagged], traits: Sequence[Trait]) -> list[JointCell]:
    known, states = np.logical_and.reduce([flag.known for flag in chosen]), _states(inventory, chosen)
    if not known.any():
        return []
    table = JointTable.of(inventory.dataset.labels[known], states[known], len(inventory.dataset.classes))
    need = fewest_to_add(table)
    orders = []
    for label, row in np.argwhere(need > 0):
        inside = (states == table.states[row]).all(1)
        cell = JointCell(
            inventory.dataset.classes[label],
            _named(chosen, table.states[row]),
            int(table.counts[label, row]),
            int(need[label, row]),
            inventory.examples(int(label), inside),
            cues=tuple(zip((flag.cue for flag in chosen), (table.states[row] == 1).tolist(), strict=True)),
        )
        orders.append(with_company(cell, inventory, chosen, traits, inside))
    return orders


def _named(chosen: Sequence[Flagged], state: NDArray[np.int64]) -> tuple[tuple[str, bool], ...]:
    """Words of each cue whose state is known, and whether that is shown; the opposite's where an attribute has one."""
    return tuple(
        flag.state_in_words(value == 1) for flag, value in zip(chosen, state.tolist(), strict=True) if value != 2
    )


def _left_out(
    inventory: Inventory, chosen: Sequence[Flagged], table: JointTable, keep: NDArray[np.int64]
) -> Iterator[tuple[int, str]]:
    originals = inventory.originals
    for label, row in np.argwhere(keep < table.counts):
        members: Images = np.flatnonzero((inventory.dataset.labels == label) & (table.row == row))
        copied = originals[members] != members
        order = members[np.lexsort((-inventory.trust[members], ~copied))]
        named = _named(chosen, table.states[row])
        cell = f"“{inventory.dataset.classes[label]}” {state_words(named) if named else 'with cues unknown'}"
        for image in order[: table.counts[label, row] - keep[label, row]].tolist():
            yield image, _reason(inventory, image, int(originals[image]), cell)


def _reason(inventory: Inventory, image: int, original: int, cell: str) -> str:
    if image != original:
        return f"a copy of {inventory.path(original)}"
    sure = f"; the model is {percent(inventory.trust[image])} sure of its class"
    return f"too common: {cell}{sure if inventory.trust[image] >= 0.5 else ''}"


def _missing(inventory: Inventory, flagged: Sequence[Flagged]) -> str:
    """The first class, in words, that lacks a state of a cue altogether; empty if none does."""
    for flag in flagged:
        for label, name in enumerate(inventory.dataset.classes):
            shown = flag.present[flag.known & (inventory.dataset.labels == label)]
            if len(shown) and shown.all() != shown.any():
                continue
            if len(shown):
                return f"{'every' if shown.all() else 'no'} “{name}” photograph shows {flag.words}"
    return ""
