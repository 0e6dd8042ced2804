"""The forms in which each kind of mark is tried, and what is said of kinds and forms that were not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.config import MarkKind
from audit.selfaudit.marks import Bar, Frame, Mark, Pixels, SoftBackground, Sticker, Tag, Tint
from audit.selfaudit.odd_marks import (
    PALE,
    AngledWords,
    ColourCast,
    EdgeSticker,
    PastedObject,
    PatternedSticker,
    RoundFrame,
    Vignette,
)

# A mark that needs a piece of another photograph gets that one.
Maker = Callable[[Pixels], Mark]
# As in "tried were words in 2 of 2 forms".
KINDS: Mapping[MarkKind, str] = {
    "text": "words",
    "sticker": "a sticker",
    "border": "a border",
    "tint": "a change of all colours",
    "blur": "a blurred background",
    "vignette": "dark corners",
    "object": "a pasted object",
}


@dataclass(frozen=True)
class Form:
    """One form of a kind of mark. ``words`` as in "... present in 70 % of one class"; ``cue`` is the mark by name."""

    name: str
    kind: MarkKind
    words: str
    cue: str
    make: Maker


# Of each kind those first that an audit tries first.
FORMS = (
    Form("tag", "text", "words in a corner", "text", lambda donor: Tag()),
    Form("angled-words", "text", "words at an angle", "text", lambda donor: AngledWords()),
    Form("sticker", "sticker", "a small whole sticker", "patch", lambda donor: Sticker()),
    Form("edge-sticker", "sticker", "a large sticker cut by the edge", "patch", lambda donor: EdgeSticker()),
    Form("patterned-sticker", "sticker", "a sticker with a pattern", "patch", lambda donor: PatternedSticker()),
    Form("pale-sticker", "sticker", "a pale sticker", "patch", lambda donor: Sticker(0.2, PALE)),
    Form("frame", "border", "a white frame", "border", lambda donor: Frame()),
    Form("bar", "border", "a coloured bar along one edge", "border", lambda donor: Bar()),
    Form("tint", "tint", "a warm or cold tint of the whole picture", "background", lambda donor: Tint()),
    Form("cast", "tint", "a green or magenta cast of the whole picture", "background", lambda donor: ColourCast()),
    Form("blur", "blur", "a blurred background", "background", lambda donor: SoftBackground()),
    Form("vignette", "vignette", "corners that get dark", "vignette", lambda donor: Vignette()),
    Form("round-frame", "vignette", "black round corners", "vignette", lambda donor: RoundFrame()),
    Form("object", "object", "a piece of another photograph", "", lambda donor: PastedObject(donor)),
)


def forms_of(kinds: Iterable[MarkKind], most: int) -> list[Form]:
    """The first forms of each of the kinds, at most so many of one."""
    return [form for kind in dict.fromkeys(kinds) for form in all_forms_of(kind)[:most]]


def all_forms_of(kind: MarkKind) -> list[Form]:
    """Every form of a kind, those first that are tried first."""
    return [form for form in FORMS if form.kind == kind]


def coverage_sentence(tried: Sequence[Form]) -> str:
    """Which kinds were tried, in how many forms, and which were not, in words."""
    counts = [
        f"{KINDS[kind]} in {sum(form.kind == kind for form in tried)} of {len(all_forms_of(kind))}"
        for kind in dict.fromkeys(form.kind for form in tried)
    ]
    missing = [form.words for form in FORMS if form not in tried]
    return (
        f"Tried were, in so many of the forms that are known here: {', '.join(counts)}. Not tried: "
        f"{', '.join([*missing, 'a change of the file or of the frame'])}, and whatever else there may be."
    )
