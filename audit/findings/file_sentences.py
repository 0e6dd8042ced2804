"""Findings about the file and the frame in plain words, and how to even them out."""

from audit.cues.file_words import KINDS, NUMBERS, fact_of, remedy
from audit.findings import sentences
from audit.findings.sentences import CANNOT, SHORT, Answer, points
from audit.findings.severity import COMPLAINTS, Severity
from audit.measures.figures import Effect, Figures
from audit.measures.limits import Strength
from audit.text import continued, percent

_EVERYWHERE = (
    "Do the same with every photograph that the model is to judge, and audit them again before you train on them. "
    "New photographs are not needed."
)
# What was done to photographs to even them out.
_EVENED_OUT = {
    "aspect_ratio": "cropped to a shape",
    "megapixels": "shrunk to a size",
    "jpeg_quality": "saved again in a quality",
    "bits_per_pixel": "saved again in as few bytes",
    "brightness": "brought to a light",
    "contrast": "brought to a contrast",
    "warmth": "brought to a tone",
    "tint": "brought to a tone",
    "sharpness": "blurred",
    "format": "saved again as JPEG files",
    "colour": "made grey",
    "subsampling": "saved again",
}


def data_answer(
    cue: str, label: str, figures: Figures, strength: Strength, medians: tuple[float, float] | None
) -> Answer:
    """Answers "is it in the data?" about a cue of the file.

    ``medians`` of a number: in the class and elsewhere, None where one of them is not known.
    """
    fact, value = fact_of(cue)
    shown, leak = figures.prevalence, figures.leakage
    if fact in KINDS:
        if shown.value is None or shown.elsewhere is None:
            return Answer(CANNOT, continued(shown.reason))
        clause = KINDS[fact].clause_of(value)
        return Answer(
            SHORT[strength],
            f"{percent(shown.value)} of the “{label}” photographs {clause}, and {percent(shown.elsewhere)} of the "
            "others.",
        )
    told = _told(fact, label, figures)
    if fact in NUMBERS and medians:
        compared = compare(fact, label, *medians)
        return Answer(SHORT[strength], f"{compared}{'; ' + told if told else ''}.")
    return Answer(SHORT[strength], f"{told}.") if told else Answer(CANNOT, continued(leak.reason))


def model_answer(cue: str, words: str, label: str, figures: Figures, strength: Strength) -> Answer:
    """Answers "does this model use it?" about a cue of the file, called ``words``."""
    fact, _ = fact_of(cue)
    if fact in KINDS and KINDS[fact].role == "origin":
        return Answer(SHORT[strength], "no pixel shows it, so that no model can use it.")
    return sentences.model_answer(words, label, figures, strength, _evened_out(fact, label, figures.effect))


def _evened_out(fact: str, label: str, effect: Effect) -> str:
    """What evening a fact out cost; empty where nobody did."""
    if effect.value is None or effect.evened_out is None:
        return ""
    taken = effect.evened_out == "taken"
    like, change = ("the others", -effect.value) if taken else (f"those of “{label}”", effect.value)
    return (
        f"with photographs {_EVENED_OUT[fact]} like {like}, the confidence in “{label}” changes by {points(change)} "
        "compared with changing them as much the other way round"
    )


def compare(fact: str, label: str, here: float, elsewhere: float) -> str:
    """The medians of a number in a class and elsewhere, in words, without a full stop.

    >>> compare("brightness", "b", 180.0, 90.0)
    'the “b” photographs are brighter than the others (median 180 of 255, elsewhere 90 of 255)'
    """
    words = NUMBERS[fact]
    near, far = words.figure.format(here), words.figure.format(elsewhere)
    if near == far:
        return f"the “{label}” photographs and the others have the same median ({near})"
    more = words.more if here > elsewhere else words.less
    return f"the “{label}” photographs are {more} than the others (median {near}, elsewhere {far})"


def advice(cue: str, severity: Severity) -> list[str]:
    """What to do about a finding about the file: even it out, for nobody need collect what can be saved again."""
    if severity not in COMPLAINTS:
        return []
    return [remedy(cue)] if fact_of(cue)[0] in ("name", "folder") else [remedy(cue), _EVERYWHERE]


def _told(fact: str, label: str, figures: Figures) -> str:
    """What a test that sees nothing else makes of it; empty where that was not measured."""
    leak = figures.leakage
    if leak.value is None:
        return ""
    what = "this number alone" if fact in NUMBERS else "nothing but the file and the frame"
    beside = "" if leak.control is None else f", and shown the one fact that tells most, in {percent(leak.control)}"
    return (
        f"shown {what}, a simple test picks the “{label}” photograph out of two in {percent(leak.value)} of cases "
        f"(guessing: 50 %){beside}"
    )
