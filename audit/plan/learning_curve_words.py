"""What the learning curves say, in sentences for people who do not train models."""

from collections.abc import Sequence

from audit.plan.learning_curve import FARTHEST
from audit.plan.learning_curve_json import Curve, Projection
from audit.text import enumerated, percent

LEFT_OUT = (
    "How many photographs would do was not worked out, since that takes one and a half times as long as the training: "
    "plan.learning_curve: true asks for it."
)
UNWANTED = "How many photographs would do was not worked out: plan.learning_curve is false."
GIVEN = "How many photographs would do cannot be worked out: the model was trained elsewhere."
_TWICE = {2.0: "twice"}[FARTHEST]


def too_few(label: str, have: int, need: int) -> str:
    """Why no curve is drawn: a class has too few photographs in the smallest subset."""
    return (
        f"How many photographs would do cannot be told: a quarter of those that a model is trained on holds {have} "
        f"different ones of “{label}”, and {need} are needed."
    )


def measured(curve: Curve) -> str:
    """The points of a curve, and what they say of more photographs.

    Sizes are the photographs that a model was trained on.
    """
    sizes = enumerated([f"{point.n_train:,}" for point in curve.points])
    shares = enumerated([percent(point.accuracy.value) for point in curve.points])
    return f"Trained on {sizes} photographs, the model is right on {shares} of {_tested(curve)}. {_trend(curve)}"


def _trend(curve: Curve) -> str:
    if percent(curve.points[-1].accuracy.value) == percent(1):
        return "More photographs of the same kind can show no further gain."
    return _TRENDS[curve.trend]


_TRENDS = {
    "rising": "More photographs of the same kind should still help.",
    "flat": "It is no better with all of them than with a quarter: more photographs of the same kind would not help.",
    "unclear": "Whether more photographs of the same kind would help cannot be told from these.",
    "falling": "It is right less often the more it was trained on, which cannot be continued to more photographs.",
}


def outlook(curves: Sequence[Curve], ordered: int) -> str:
    """What a quarter of the photographs that the plan orders is expected to change, or as many again as there are.

    ``ordered`` is how many the plan orders.
    """
    leading = curves[0].projections[0]
    parts = "; ".join(_part(curve, projection) for curve in curves for projection in curve.projections[:1])
    sentences = [f"{_more(leading, ordered)}: {parts}. That is, if the new photographs are like those that there are."]
    if ordered:
        sentences.append(
            "The ordered ones show what is rare and may do more for it; check after the first quarter "
            "with bias-audit verify."
        )
    if ordered and not any(projection.more == "order" for projection in curves[0].projections):
        sentences.append(f"Beyond {_TWICE} the photographs that a model was trained on, nothing can be told.")
    return " ".join(sentences)


def _more(projection: Projection, ordered: int) -> str:
    if projection.more == "double":
        return f"With as many photographs again ({projection.added:,} more to train on)"
    return f"A quarter of the ordered photographs first ({projection.added:,} of {ordered:,})"


def _part(curve: Curve, projection: Projection) -> str:
    now, expected = percent(curve.points[-1].accuracy.value), percent(projection.value)
    reach = f"{percent(projection.low)[:-2]} to {percent(projection.high)}"
    name = _name(curve)
    if now == percent(1):
        return f"{name} is {now} already and cannot rise"
    match curve.trend:
        case "rising" if now == expected:
            return f"{name}, now {now}, is expected to rise by less than one in a hundred ({reach})"
        case "rising":
            return f"{name} is expected to rise from {now} to {expected} ({reach})"
        case "flat":
            return f"{name} would stay at about {now}, for more photographs of the same kind would not help"
        case "unclear":
            return f"{name}, now {now}, would be about {expected} ({reach}), and it may not rise at all"
    return f"{name}, now {now}, fell with more photographs, so that nothing can be said"


def _name(curve: Curve) -> str:
    if curve.kind == "plain":
        return "the accuracy"
    if curve.kind == "balanced":
        return f"without the shortcut of {curve.finding}, the accuracy"
    return f"the accuracy on “{curve.label}” without {curve.words}"


def _tested(curve: Curve) -> str:
    if curve.kind == "plain":
        return "photographs that it has not seen"
    if curve.kind == "balanced":
        return f"them, counted so that {curve.words} says nothing about the class ({curve.finding})"
    return f"“{curve.label}” without {curve.words} ({curve.finding})"
