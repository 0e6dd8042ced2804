"""What the detectors say of one example, as figures beside what is known of it; and the time that they take."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from audit.detection.registry import DETECTORS, missing_cues
from audit.detectors.cue import Detector, Mask, Sighting
from audit.detectors.photo import LONGEST, Networks, Photo
from tests.bench.cue_sets import HEADS, PEOPLE, PLANTED, Example, load
from tests.bench.scores import attend, iou, name_map, share_inside

# What a region of this kind may be called: parts of the face are the face.
RIGHT_NAMES = {
    "face": frozenset({"face", "eyes", "glasses", "skin"}),
    "hair": frozenset({"hair"}),
    "clothing": frozenset({"clothing"}),
    "background": frozenset({"background"}),
}
NAMED_SETS = (HEADS, "lfw-hair")
EVERYTHING, WITHOUT_TEXT = "all detectors", "all but text"
# A region that covers less of the picture than this is too small to be attended to, or a slip of the pen.
_LEAST_REGION = 0.005


@dataclass(frozen=True)
class Measurement:
    """One figure about a cue in one photograph. ``measure``: found, false (both 0 or 1), iou, precision, inside face,
    named (0 or 1, with the ``name`` given), ms."""

    collection: str
    group: str
    mark: str
    cue: str
    measure: str
    value: float
    name: str = ""


def known() -> frozenset[str]:
    """The cues that some detector looks for and, on this machine, can."""
    names = [cue.name for detector in DETECTORS for cue in detector.cues]
    return frozenset(names) - missing_cues(names).keys()


def look(photo: Photo, cues: frozenset[str]) -> dict[str, Sighting]:
    """What the detectors of these cues see."""
    seen: dict[str, Sighting] = {}
    for detector in _detectors(cues):
        seen.update(detector.detect(photo))
    return seen


def measure(example: Example, networks: Networks) -> list[Measurement]:
    """Every figure that one example gives."""
    pixels, marked = load(example)
    cues = example.cues & known()
    if example.collection in NAMED_SETS:
        cues |= (PEOPLE | {"background"}) & known()
    seen = look(Photo(pixels, networks), cues)
    figures = [*_presence(example, seen), *_overlaps(example, seen, marked), *_eyes(seen)]
    named = _names(example, seen, marked) if example.collection in NAMED_SETS else ()
    about = (example.collection, example.group, example.mark)
    return [Measurement(*about, *figure) for figure in [*figures, *named]]


def clock(examples: Sequence[Example], networks: Networks) -> Iterator[Measurement]:
    """Milliseconds of each detector, in the table's order: what one works out for the next ones, these need not pay."""
    photos = [pixels for pixels, _ in map(load, examples) if max(pixels.shape) == LONGEST]
    for turn, pixels in enumerate(photos[:1] + photos):
        photo, spent = Photo(pixels, networks), {}
        for detector in _detectors(known()):
            start = perf_counter()
            detector.detect(photo)
            spent[detector.name] = 1000 * (perf_counter() - start)
        if turn:  # the first one loads the networks
            totals = {EVERYTHING: sum(spent.values()), WITHOUT_TEXT: sum(spent.values()) - spent.get("text", 0.0)}
            for name, value in {**spent, **totals}.items():
                yield Measurement(examples[0].collection, "", "", name, "ms", value)


def _detectors(cues: frozenset[str]) -> list[Detector]:
    return [make() for make in DETECTORS if cues & {cue.name for cue in make.cues}]


Figure = tuple[str, str, float] | tuple[str, str, float, str]


def _presence(example: Example, seen: Mapping[str, Sighting]) -> Iterator[Figure]:
    for cues, measure_name in ((example.shows, "found"), (example.lacks, "false")):
        for cue in sorted(cues & seen.keys()):
            yield cue, measure_name, float(seen[cue].present)


def _overlaps(example: Example, seen: Mapping[str, Sighting], marked: Mapping[str, Mask]) -> Iterator[Figure]:
    """Where a face was accepted, the person's parts are judged; where none was, the main object."""
    person = "face" in seen and seen["face"].present
    for cue in marked.keys() & seen.keys():
        judged = example.collection == PLANTED or (cue in PEOPLE) == person
        if judged and marked[cue].any() and example.collection != HEADS:
            found = seen[cue].mask
            found = np.zeros_like(marked[cue]) if found is None else found
            yield cue, "iou", iou(found, marked[cue])
            yield cue, "precision", share_inside(found, marked[cue])


def _eyes(seen: Mapping[str, Sighting]) -> Iterator[Figure]:
    eyes, face = (seen[cue].mask if cue in seen else None for cue in ("eyes", "face"))
    if eyes is not None and face is not None:
        yield "eyes", "inside face", share_inside(eyes, face)


def _names(example: Example, seen: Mapping[str, Sighting], marked: Mapping[str, Mask]) -> Iterator[Figure]:
    rng = np.random.default_rng(example.number)
    masks = {cue: one.mask for cue, one in seen.items() if one.present and one.mask is not None}
    for region in sorted(marked.keys() & RIGHT_NAMES.keys()):
        if marked[region].mean() >= _LEAST_REGION:
            name = name_map(attend(marked[region], rng), masks)
            yield region, "named", float(name in RIGHT_NAMES[region]), name
