"""What an audit's result does not say, in sentences."""

from collections.abc import Iterable, Sequence

from audit.attributes.people.apparent_accuracy import LEAST_RIGHT, GroupAccuracy, accuracy
from audit.attributes.registry import PEOPLE_READERS
from audit.config import Config, ModelConfig
from audit.cues.cue_json import CueSummary
from audit.cues.undecided import FACE
from audit.detection.detections import load_attributes, not_looked_for
from audit.detection.registry import listed_cues
from audit.store.audit_folder import (
    AuditFolder,
    read_records,
)
from audit.text import at_most_ten, capital, percent

LIMITS = (
    "A finding says that a cue and a class go together in these photographs and how far this model leans on it; it "
    "does not say why, and it is no proof of discrimination or of its absence.",
    "Only the kinds of content listed here were looked for. A shortcut that no detector names, no attribute "
    "records, no fact of the file gives away and no cluster of attention shows can go unnoticed.",
    "Grad-CAM maps are coarse, and what the network sees at one place reaches beyond it: the leakage of the face can "
    "hold something of the hair or the collar beside it. The background's leakage is measured on its pixels alone.",
    "Hiding part of a picture makes an unusual picture; the same is done elsewhere in it as a comparison, but the "
    "comparison is not perfect.",
    "Cues are found by small detectors that make mistakes; their examples in this report are there to be doubted. In "
    "1,005 photographs of doctors and nurses a face was found in 99 to 100 % of each of four groups by skin and gender "
    "(91 photographs or more each); hair and skin are found where a face is, so people seen from behind are missed.",
)
TEXT_READ = (
    "Text was read where its letters are clear in a picture of 512 pixels. Handwriting, logos, and very small or faint "
    "letters can go unread: where one matters it appears as something in a fixed place or as an unnamed cue."
)
GUESSES = (
    "On photographs that it was not trained on, the model tells the classes apart no better than by guessing, so "
    "nothing is concluded about what it uses."
)
TEXT_UNREAD = (
    "Text and watermarks were not read: where one matters it appears as something in a fixed place or as an unnamed "
    "cue."
)
TRAINED_HERE = (
    "The model was trained for this audit. Another network may use what this one ignores, which is why what is in the "
    "data is reported apart from what the model uses."
)
TINY_MODEL = "This audit used the tiny test network with random weights; its findings mean nothing outside tests."
GIVEN_MODEL = (
    "The model was given, not trained for this audit, and it was perhaps trained on photographs that are audited here. "
    "It may then be right about them because it remembers them, so that its accuracy, and the leakage that is read off "
    "its own activations, can be too high, and its gaps too small.",
    "Answers of the given model for classes that are not in this dataset are left out.",
)


APPARENT = {one.name: capital(one.topic) for reader in PEOPLE_READERS for one in reader.attributes}


def apparent(people: bool) -> list[str]:
    """Where what a classifier takes people for was read: how often it is wrong, by group of people."""
    rows = accuracy() if people else ()
    sets = dict.fromkeys((row.attribute, row.photographs) for row in rows)
    return [_how_often(*one, [row for row in rows if (row.attribute, row.photographs) == one]) for one in sets]


def _how_often(attribute: str, photographs: str, rows: Sequence[GroupAccuracy]) -> str:
    whole = next(row for row in rows if row.group == "all")
    groups = [row for row in rows if row.group != "all"]
    shares = ", ".join(f"{row.group} {percent(row.right / row.of)} (n = {row.of})" for row in groups)
    poor = [row.group for row in groups if row.is_poor]
    told = f" It fails {' and '.join(poor)}: below {percent(LEAST_RIGHT)}." if poor else ""
    return (
        f"{APPARENT[attribute]} is what a small network takes people for, and not who they are. Of {photographs} it "
        f"was right for {percent(whole.right / whole.of)} of {whole.of}, and could not tell {whole.untold}: {shares}."
        f"{told}"
    )


def ungrouped(possible_group: str | None) -> list[str]:
    """What it means that subjects were not told, where ``possible_group`` suggests that there are several of one."""
    if not possible_group:
        return []
    return [
        f"Several photographs may show one subject, to judge by {possible_group}; dataset.group was not set. If so, "
        "accuracy and leakage are partly memory and too high, and intervals and p-values are too narrow and too small."
    ]


def limits(folder: AuditFolder, config: Config) -> list[str]:
    """What the result does not say, and what could not be done on this machine."""
    missing = not_looked_for(folder)
    sentences = [f"The cue '{cue}' was not looked for: {reason}." for cue, reason in missing.items()]
    sentences += undecided_faces(read_records(folder.cue_list, CueSummary))
    was_read = "text" in listed_cues(config) and "text" not in missing
    return [
        *sentences,
        *apparent(any(one.apparent for one in load_attributes(folder).attributes)),
        *_model_limits(config.model),
        *LIMITS,
        TEXT_READ if was_read else TEXT_UNREAD,
    ]


def undecided_faces(cues: Iterable[CueSummary]) -> list[str]:
    """How often the two networks for faces contradict each other, by class; nothing where they never do."""
    shares = next((cue.undecided for cue in cues if cue.name == FACE and cue.undecided), None)
    if shares is None:
        return []
    told = at_most_ten(
        f"{percent(one.value)} of “{label}” ({percent(one.low)} to {percent(one.high)}, n = {one.n})"
        for label, one in shares.items()
    )
    return [
        "In some photographs one of two detectors saw a face and the other did not, as happens where faces are "
        f"covered, turned away or tiny: in {told}. Whether these show a person, or any part of one, is left open; they "
        "are not counted where the classes are compared in that."
    ]


def _model_limits(settings: ModelConfig) -> list[str]:
    if settings.checkpoint is not None:
        return list(GIVEN_MODEL)
    if settings.arch == "tiny":
        return [TINY_MODEL, TRAINED_HERE]
    return [TRAINED_HERE]
