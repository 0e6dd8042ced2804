"""Findings in plain words, for readers who know neither statistics nor programming."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.cues.cue_json import Difference
from audit.findings.severity import COMPLAINTS, Severity
from audit.measures.figures import Figures, Gap
from audit.measures.limits import UNEVEN, Strength
from audit.text import capital, continued, percent

LOWERED = "Rated one step lower than the figures say, since the attention maps failed their own test."
SHORT: Mapping[Strength, str] = {"strong": "Yes", "weak": "A little", "none": "No", "unknown": "Not certain"}
CANNOT = "Cannot be told"


def headline(
    words: str,
    label: str,
    severity: Severity,
    in_data: Strength = "unknown",
    in_model: Strength = "unknown",
    lowered: bool = False,
    is_covered: bool = False,
) -> str:
    """The finding in one sentence, and a second one where untrustworthy maps ``lowered`` its severity.

    ``in_data`` and ``in_model`` say which of the two signs of a medium one is strong, and what the other is.
    ``is_covered``: the cue counts as expected since it lies in, or consists of, one that was declared so.
    """
    if is_covered and severity == "expected":
        return f"{capital(words)} counts as expected: it lies in what you expect to matter, or mostly consists of it."
    if lowered:
        return f"{_lowered_headline(words, label, severity, in_data, in_model)} {LOWERED}"
    if severity == "high":
        return f"“{label}” is tied to {words}, and this model has learned to use it."
    if severity == "medium":
        return f"{capital(words)} may serve as a shortcut to “{label}”: {_one_sign(in_data, in_model)}."
    if severity == "low":
        return f"{capital(words)} shows weak signs of a shortcut to “{label}”."
    if severity == "expected":
        return f"The model looks at {words} for “{label}”; that is where the answer may lie."
    if severity == "cleared":
        return f"{capital(words)} is no shortcut to “{label}”: neither the data nor the model lean on it."
    return f"Too few photographs to tell whether {words} is a shortcut to “{label}”."


def _one_sign(in_data: Strength, in_model: Strength) -> str:
    """What a finding rests on of which one of the two signs is strong."""
    if in_data != "strong":
        return "this model seems to use it, though it alone hardly gives the class away"
    if in_model == "none":
        return "it gives the class away in the photographs, but this model does not seem to use it"
    return "it gives the class away in the photographs; whether this model uses it is not shown"


def in_other_words(words: str, different: Sequence[Difference]) -> str:
    """A cue's words with what differs most in it, if anything does."""
    return f"{words}, above all {different[0].words}," if different else words


def differ(different: Sequence[Difference], label: str) -> tuple[str, ...]:
    """What differs, a sentence for each attribute, or that no word was found for it."""
    if not different:
        return ("No word was found for what differs here; compare the photographs.",)
    return tuple(
        f"{capital(one.words)}: in {one.n} of {one.of} of the “{label}” photographs, in {one.n_elsewhere} of "
        f"{one.of_elsewhere} of the others (a difference of {round(one.low * 100)} to {round(one.high * 100)} "
        "percentage points)."
        for one in different
    )


def _lowered_headline(words: str, label: str, severity: Severity, in_data: Strength, in_model: Strength) -> str:
    if severity == "not_enough_data":
        return f"Whether {words} is a shortcut to “{label}” cannot be told."
    return headline(words, label, severity, in_data, in_model)


@dataclass(frozen=True)
class Answer:
    """An answer in a word or two, and the figures that it rests on, the end of the sentence."""

    short: str
    reason: str

    @property
    def sentence(self) -> str:
        """Both, as findings.json has them."""
        return f"{self.short}: {self.reason}"


def data_answer(words: str, label: str, figures: Figures, strength: Strength) -> Answer:
    """Answers "is it in the data?" with the figure that weighs most."""
    shown, leak = figures.prevalence, figures.leakage
    if shown.value is not None and shown.elsewhere is not None and abs(shown.difference or 0) >= UNEVEN:
        return Answer(
            SHORT[strength],
            f"{words} is in {percent(shown.value)} of the “{label}” photographs and in {percent(shown.elsewhere)} of "
            "the others.",
        )
    if leak.value is not None:
        beside = (
            "" if leak.control is None else f"; shown a place of the same size elsewhere, in {percent(leak.control)}"
        )
        coverage = f"; only {percent(share)} of the photographs show it" if (share := _share_of(figures)) < 0.5 else ""
        return Answer(
            SHORT[strength],
            f"shown {words} alone, a simple test picks the “{label}” photograph out of two in {percent(leak.value)} of "
            f"cases (guessing: 50 %){beside}{coverage}{_given_declared(leak.given_declared)}.",
        )
    if shown.value is not None:
        return Answer(
            SHORT[strength], f"{words} is about as common in “{label}” as elsewhere ({percent(shown.value)})."
        )
    return Answer(CANNOT, continued(shown.reason))


def _given_declared(auc: float | None) -> str:
    return "" if auc is None else f"; among photographs alike in what you expect to matter, in {percent(auc)}"


def model_answer(words: str, label: str, figures: Figures, strength: Strength, evened_out: str = "") -> Answer:
    """Answers "does this model use it?" with the figure that weighs most.

    ``evened_out`` says what the effect is that evening out a fact of the file had, instead of hiding a part.
    """
    effect, gap, looks = figures.effect, figures.gap, figures.attention
    parts = [evened_out] if evened_out else []
    if effect.value is not None and not evened_out:
        parts.append(
            f"hiding {words} {_cost(effect.value)} the confidence in “{label}” by {_size(effect.value)} more than "
            "hiding as much elsewhere"
        )
    if told := _told_apart(words, label, gap):
        parts.append(told)
    if not parts and looks.value is not None:
        parts.append(f"it gives {words} {looks.value:.1f} times the attention that its size explains")
    if not parts:
        return Answer(CANNOT, continued(gap.reason or effect.reason))
    return Answer(SHORT[strength], f"{'; '.join(parts)}.")


def _told_apart(words: str, label: str, gap: Gap) -> str:
    """A gap in words; empty where none was measured."""
    if gap.together is not None and gap.apart is not None:
        if gap.along == "leak":
            where, elsewhere = f"in which {words} looks most like its own class's", "in which it looks least like that"
        else:
            where, elsewhere = "where the two go together", "where they do not"
        return (
            f"it is right for {percent(gap.together)} of photographs {where} and for {percent(gap.apart)} {elsewhere}"
        )
    if gap.own:
        more = "more" if gap.own.value is None or gap.own.value >= 0 else "less"
        return (
            f"among the “{label}” photographs alone it is {more} often right with {words} than without, by "
            f"{points(gap.own.value or 0.0)} (n = {gap.own.n})"
        )
    return ""


def recommendations(words: str, label: str, severity: Severity, adds: Sequence[str], mark: str = "") -> list[str]:
    """What to do about a finding; ``mark`` is the name of a cue that can be masked, or empty."""
    if severity not in COMPLAINTS:
        return []
    take_off = (
        f"Take it off the photographs: “bias-audit mask” with this audit's folder, --cue “{mark}” and an --out folder "
        "writes them all again without it. Audit those before you train on them."
    )
    first = [take_off] if mark else []
    if adds:
        last = "Until then, train with plan/weights.csv, which gives rare combinations more weight."
        return [*first, *adds, last]
    return [
        *first,
        f"Every class shows {words} about equally often, but it looks different from class to class: "
        f"compare the photographs of this finding and collect “{label}” photographs that look like the others.",
    ]


def rests_on_faces(words: str, label: str, share: float, elsewhere: float) -> str:
    """What to look at before a difference is believed that comes of where faces were found."""
    return (
        f"Whether a photograph shows {words} was told only where a face was found: in {percent(share)} of “{label}” "
        f"photographs and in {percent(elsewhere)} of the others. Do the rest show no face, or was it missed? Look."
    )


def left_open(words: str, label: str, share: float, elsewhere: float) -> str:
    """What to look at before a finding is believed where detectors contradict each other more in one class."""
    return (
        f"In {percent(share)} of “{label}” photographs and in {percent(elsewhere)} of the others one of two detectors "
        f"saw a face and the other did not; whether they show {words} is left open, and they are not counted. Look at "
        "them: what covers or turns the faces may itself tell the classes apart."
    )


def consequence(cause: str, words: str) -> str:
    """What to do about a finding that another one, about ``words``, explains."""
    return (
        f"Mend {cause} first: among photographs that are alike in {words}, at most half of this is left, or there are "
        "too few of them to tell the two apart."
    )


def excused(words: str, cause: str) -> str:
    """The finding in one sentence where ``cause``, which is expected, explains it."""
    return f"{capital(words)} counts as expected: it goes with {cause}, and by itself says little of the class."


def _share_of(figures: Figures) -> float:
    """The share of images that a leak is about."""
    shown = figures.prevalence
    return 1.0 if shown.value is None else figures.leakage.n / (shown.n + (shown.elsewhere_n or 0))


def points(change: float) -> str:
    """A change of a share, -1..1, in words, such as "+3 percentage points"; "0 percentage points" has no sign."""
    return f"{round(change * 100):+d} percentage points".replace("+0 ", "0 ").replace("-", "−")


def _cost(effect: float) -> str:
    return "lowers" if effect >= 0 else "raises"


def _size(effect: float) -> str:
    return f"{abs(round(effect * 100))} percentage points"
