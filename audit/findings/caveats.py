"""The caveats of the published rules: what a measured strength counts as in a case that they apply to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audit.detectors.cue import Cue
from audit.measures.figures import EvidenceFigure, Figures
from audit.measures.limits import (
    ALPHA,
    DIFFERENCE,
    FEW_IMAGES,
    FEW_MISTAKES,
    IDLE_LIFT,
    LEAKAGE,
    OWN_LEAK,
    OWN_LEAK_FLOOR,
    OWN_LOOK,
    OWN_LOOK_FLOOR,
    STRENGTHS,
    TONE_LEAK,
    Evidence,
    Strength,
    over_all_pairs,
    strength,
)

UNMEASURED = Evidence(None, None, None, None)


@dataclass(frozen=True)
class Measures:
    """What was measured of one cue and one class.

    ``difference``: of the shares of the class and of the others that show the cue, which are ``shares``, None where
    they are not known. ``above_control``: the leakage, of a look the difference, minus the control's. ``own_gap``: the
    gap among the class's own images. ``along_leak``: both gaps are taken along the leak and not by presence.
    ``given_declared``: the AUC of the leak among images alike in what was declared, None where that is not known.
    """

    difference: Evidence = UNMEASURED
    leakage: Evidence = UNMEASURED
    above_control: Evidence = UNMEASURED
    attention: Evidence = UNMEASURED
    effect: Evidence = UNMEASURED
    gap: Evidence = UNMEASURED
    own_gap: Evidence = UNMEASURED
    along_leak: bool = False
    shares: tuple[float, float] | None = None
    given_declared: float | None = None

    @property
    def leans(self) -> bool:
        """Whether the shares that show the cue differ, at least weakly, towards the class."""
        return strength(self.difference, DIFFERENCE, tested=True) in ("strong", "weak")

    @classmethod
    def of(cls, figures: Figures) -> "Measures":
        """As the figures of a finding say."""
        shown, gap = figures.prevalence, figures.gap
        known = shown.value is not None and shown.elsewhere is not None
        above = figures.leakage if figures.leakage.above_control is not None else shown
        own, measured = gap.own, gap.value is not None
        return cls(
            difference=Evidence(shown.difference, shown.difference_low, shown.difference_high, shown.p_adjusted),
            leakage=_plain(figures.leakage),
            above_control=Evidence(above.above_control, above.above_control_low, above.above_control_high, None),
            attention=_plain(figures.attention),
            effect=_plain(figures.effect),
            gap=Evidence(gap.value, gap.low, gap.high, gap.p_adjusted, gap.n, gap.mistakes) if measured else UNMEASURED,
            own_gap=Evidence(own.value, own.low, own.high, gap.p_adjusted, own.n, own.mistakes) if own else UNMEASURED,
            along_leak=gap.along == "leak",
            shares=(shown.value or 0.0, shown.elsewhere or 0.0) if known else None,
            given_declared=figures.leakage.given_declared,
        )


def _plain(figure: EvidenceFigure) -> Evidence:
    return Evidence(figure.value, figure.low, figure.high, figure.p_adjusted)


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    ``declared`` are the cues that the owner called relevant, with all that these cover. ``learned``: the model tells
    the classes apart better than by guessing. ``leak``, ``data`` and ``model`` are what was concluded so far, and
    ``contrast`` is the gap that is looked at.
    """

    cue: Cue
    measures: Measures
    declared: frozenset[str]
    learned: bool
    leak: Strength | None = None
    data: Strength = "unknown"
    model: Strength = "unknown"
    contrast: Evidence = UNMEASURED


@dataclass(frozen=True)
class Caveat:
    """Where it applies, a strength counts as another one, or as if nothing had been measured (None)."""

    name: str
    words: str
    applies: Callable[[Case], bool]
    counts_as: Mapping[Strength, Strength | None]


def _leaks_everywhere(case: Case) -> bool:
    above, is_background = case.measures.above_control, case.cue.role == "scene" and case.cue.kind == "detector"
    if is_background or above.value is None or above.low is None:
        return False
    return above.value < OWN_LEAK or above.low <= OWN_LEAK_FLOOR


def _is_rare(case: Case) -> bool:
    auc, shares = case.measures.leakage.value, case.measures.shares
    if case.cue.kind in ("cluster", "file") or auc is None or shares is None:
        return False
    return over_all_pairs(auc, *shares) < LEAKAGE.weak


def _follows_from_declared(case: Case) -> bool:
    left = case.measures.given_declared
    return left is not None and left < LEAKAGE.ruled_out


def _is_weak_tone(case: Case) -> bool:
    return case.cue.role == "tone" and (case.measures.leakage.value or 0.0) < TONE_LEAK


def _costs_nothing(case: Case) -> bool:
    # A sure model's probabilities barely move when one of its reasons is hidden, so a small effect counts here.
    effect = case.measures.effect
    return not (effect.low is not None and effect.low > 0 and effect.p is not None and effect.p < ALPHA)


def _looks_so_everywhere(case: Case) -> bool:
    above = case.measures.above_control
    if case.cue.kind != "appearance" or above.value is None or above.low is None:
        return False
    return above.value < OWN_LOOK or above.low <= OWN_LOOK_FLOOR


def _does_not_lean(case: Case) -> bool:
    if case.measures.along_leak:
        return case.leak not in ("strong", "weak")
    return not case.measures.leans


def _leans_weakly(case: Case) -> bool:
    # Nothing but its difference is known of a look in the data.
    leaning = case.data if case.cue.kind == "appearance" else case.leak if case.measures.along_leak else None
    return leaning == "weak"


def _rests_on_few(case: Case) -> bool:
    images, mistakes = case.contrast.n, case.contrast.mistakes
    return (images is not None and images < FEW_IMAGES) or (mistakes is not None and mistakes < FEW_MISTAKES)


def _is_contradicted(case: Case) -> bool:
    effect, lift = case.measures.effect, case.measures.attention
    if effect.low is not None and effect.high is not None and effect.p is not None and effect.p < ALPHA:
        if effect.high < 0:
            return True
        if effect.low > 0:
            return False
    return case.cue.kind != "cluster" and lift.high is not None and lift.high < IDLE_LIFT


_AT_MOST_WEAK: Mapping[Strength, Strength | None] = {"strong": "weak"}
_UNCERTAIN: Mapping[Strength, Strength | None] = {"strong": "unknown", "weak": "unknown"}
_NOT_COUNTED: Mapping[Strength, Strength | None] = dict.fromkeys(STRENGTHS)
_NOTHING_SAID: Mapping[Strength, Strength | None] = dict.fromkeys(STRENGTHS, "unknown")
_RULED_OUT: Mapping[Strength, Strength | None] = dict.fromkeys(STRENGTHS, "none")

LEAK_CAVEATS = (
    Caveat(
        "subject",
        "What the photographed thing itself looks like is what the classes differ in: its leak does not count.",
        lambda case: case.cue.role == "subject",
        _NOT_COUNTED,
    ),
    Caveat(
        "everywhere",
        f"A strong leak of anything but the background counts as weak unless its AUC is {OWN_LEAK:.2f} above that of a "
        f"place of the same size elsewhere (interval above {OWN_LEAK_FLOOR:.2f}): where any place gives the class away "
        "as well, the leak is the whole picture's and not the cue's.",
        _leaks_everywhere,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "rare",
        f"Any strong leak counts as weak where few photographs show the cue: below {LEAKAGE.weak:.2f} over all pairs "
        "of photographs, those that do not show it being as good as a toss; unnamed places and files are there in all.",
        _is_rare,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "beyond the declared",
        f"A strong leak counts as weak where it is below {LEAKAGE.ruled_out:.2f} among photographs that are alike in a "
        "cue that was declared relevant: beyond what is expected it says little.",
        _follows_from_declared,
        _AT_MOST_WEAK,
    ),
)
DATA_CAVEATS = (
    Caveat(
        "nameless",
        "An unnamed place on the photographed thing itself counts as weak at most: only you can say whether it is what "
        "the classes differ in.",
        lambda case: case.cue.role == "subject" and case.cue.kind == "cluster",
        _AT_MOST_WEAK,
    ),
    Caveat(
        "own look",
        "What the photographed thing itself is like, its colour for example, counts as weak at most, too.",
        lambda case: case.cue.role == "subject" and case.cue.kind == "attribute",
        _AT_MOST_WEAK,
    ),
    Caveat(
        "tone",
        f"Light, colour and detail of whole pictures, in which contents differ, are weak below an AUC of {TONE_LEAK}.",
        _is_weak_tone,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "origin",
        "A file's name and folder count as weak at most: no pixel shows them, and no model can use them.",
        lambda case: case.cue.role == "origin",
        _AT_MOST_WEAK,
    ),
)
DIFFERENCE_CAVEATS = (
    Caveat(
        "looks elsewhere",
        f"A strong difference of a look counts as weak unless it is {OWN_LOOK:.2f} above that of the looks of a place "
        f"of the same size elsewhere (interval above {OWN_LOOK_FLOOR:.0f}).",
        _looks_so_everywhere,
        _AT_MOST_WEAK,
    ),
)
GAP_CAVEATS = (
    Caveat(
        "circular",
        "A gap of places that were found by the attention does not count: likeness to them follows the model's answer.",
        lambda case: case.cue.kind == "cluster",
        _NOT_COUNTED,
    ),
    Caveat(
        "unleaning",
        "It counts where what it is taken along leans to the class, at least weakly: the shares that show the cue, or "
        "the leak; elsewhere its direction is chance.",
        _does_not_lean,
        _UNCERTAIN,
    ),
    Caveat(
        "weak leak",
        "Along a leak that counts as weak it is weak at most, and so is that of a look whose difference does.",
        _leans_weakly,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "weak tone",
        f"Of light, colour and detail of whole pictures that leak with an AUC below {TONE_LEAK} it is weak at most: "
        "a photograph that differs from its class in light mostly differs in content.",
        _is_weak_tone,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "few",
        f"From fewer than {FEW_IMAGES} photographs on the smaller side, or fewer than {FEW_MISTAKES} mistakes, it is "
        "weak at most.",
        _rests_on_few,
        _AT_MOST_WEAK,
    ),
)
ATTENTION_CAVEATS = (
    Caveat(
        "found",
        "The attention on places that were found by it does not count.",
        lambda case: case.cue.kind == "cluster",
        _NOT_COUNTED,
    ),
    Caveat(
        "idle",
        "Attention is strong where hiding the cue costs something, too (interval above 0, corrected p below "
        f"{ALPHA}), and weak at most elsewhere.",
        _costs_nothing,
        _AT_MOST_WEAK,
    ),
)
MODEL_CAVEATS = (
    Caveat(
        "guessing",
        "Of a model that tells the classes apart no better than by guessing nothing is said.",
        lambda case: not case.learned,
        _NOTHING_SAID,
    ),
    Caveat(
        "contradicted",
        "Strong signs that are contradicted count as weak: hiding the cue, or evening it out, makes the model surer "
        f"(interval below 0, corrected p below {ALPHA}), or the cue gets less attention than its area explains "
        f"(interval below {IDLE_LIFT:.2f} times) and hiding it has no certain cost.",
        _is_contradicted,
        _AT_MOST_WEAK,
    ),
    Caveat(
        "unseen",
        "That the model uses a file's name or folder is ruled out.",
        lambda case: case.cue.role == "origin",
        _RULED_OUT,
    ),
)


def counted(level: Strength | None, caveats: Sequence[Caveat], case: Case) -> Strength | None:
    """What a strength counts as where each of the caveats that applies is heard."""
    for caveat in caveats:
        if level is not None and caveat.applies(case):
            level = caveat.counts_as.get(level, level)
    return level
