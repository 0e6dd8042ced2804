"""False alarms summed up: of the data, where labels were permuted, and of the model, where cues were."""

from collections.abc import Iterable, Sequence

from audit.findings.finding import Finding
from audit.findings.self_audit_json import DataAlarms, FalseAlarms, ModelAlarms, SaidOfModel
from audit.findings.severity import FLAGGED
from audit.measures.figures import CountedShare
from audit.measures.intervals import wilson
from audit.selfaudit.permuted_cues import SHARES, Told
from audit.text import percent


def false_alarms(audits: Sequence[Sequence[Finding]], images: int, model: ModelAlarms) -> FalseAlarms:
    """Sum up the findings of null audits, one sequence each, and lay those about the model beside them.

    ``expected`` ones do not count: they are never flagged. Intervals are Wilson's, once over all verdicts and once over
    audits. The verdicts of one null audit share its labels and are not quite independent, so that the former are a
    little narrow.
    """
    counting = [[finding for finding in findings if finding.severity != "expected"] for findings in audits]
    verdicts = [finding for findings in counting for finding in findings]
    severities = [finding.severity for finding in verdicts]
    data = DataAlarms(
        strong=counted_share([finding.in_data == "strong" for finding in verdicts]),
        weak=counted_share([finding.in_data == "weak" for finding in verdicts]),
        either=counted_share([finding.in_data in ("strong", "weak") for finding in verdicts]),
    )
    return FalseAlarms(
        sentence=f"{data_sentence(len(audits), images, data)} {model.sentence}",
        audits=len(audits),
        images=images,
        counts={severity: severities.count(severity) for severity in sorted(set(severities))},
        high=counted_share([severity == "high" for severity in severities]),
        flagged=counted_share([severity in FLAGGED for severity in severities]),
        audits_with_high=counted_share(
            [any(finding.severity == "high" for finding in findings) for findings in counting]
        ),
        audits_flagged=counted_share(
            [any(finding.severity in FLAGGED for finding in findings) for findings in counting]
        ),
        data=data,
        model=model,
    )


def model_alarms(permuted: Iterable[Told], attributes: Iterable[Told], deals: int, images: int) -> ModelAlarms:
    """Sum up what was said of cues that the model cannot have used, in so many ``deals``."""
    of_cues, of_attributes = said_of_model(permuted), said_of_model(attributes)
    return ModelAlarms(
        sentence=model_sentence(deals, of_cues, of_attributes),
        deals=deals,
        images=images,
        permuted=of_cues,
        attributes=of_attributes,
        shares=SHARES,
    )


def said_of_model(told: Iterable[Told]) -> SaidOfModel:
    """Shares of the cases in which as much could have been said by the rules: the others would hide false alarms."""
    told = list(told)
    could_be_strong = [case for case in told if case.could_be_said.model == "strong"]
    could_be_high = [case for case in told if case.could_be_said.severity == "high"]
    return SaidOfModel(
        cases=len(told),
        strong=counted_share([case.said.model == "strong" for case in could_be_strong]),
        weak=counted_share([case.said.model == "weak" for case in could_be_strong]),
        high=counted_share([case.said.severity == "high" for case in could_be_high]),
    )


def counted_share(hits: Sequence[bool]) -> CountedShare:
    """How many of them are true, with Wilson's interval of their share."""
    low, high = wilson(sum(hits), len(hits))
    return CountedShare(value=sum(hits) / max(1, len(hits)), low=low, high=high, n=len(hits), count=sum(hits))


def data_sentence(audits: int, images: int, data: DataAlarms) -> str:
    """The false alarms about the data in words."""
    return (
        f"With the labels of {images} photographs dealt out at random {_times(audits)}, so that there was nothing to "
        f"find in the data, these looked strongly tied to a class in {data.strong.count} of {data.strong.n} verdicts "
        f"and weakly in {data.weak.count} ({_interval(data.either)} for both)."
    )


def model_sentence(deals: int, permuted: SaidOfModel, attributes: SaidOfModel) -> str:
    """The false alarms about the model in words."""
    dealt = (
        f"With all content dealt out at random among the photographs of each class {_times(deals)}, so that the model "
        "cannot have used it, "
    )
    made_up = f"Of made-up attributes, in {percent(SHARES[-1])} to {percent(SHARES[0])} of one class, "
    return f"{dealt}{_said(permuted)}. {made_up}{_said(attributes)}."


def _said(told: SaidOfModel) -> str:
    if not told.strong.n:
        return f"nothing could be said in any of {told.cases} cases, rightly or wrongly"
    strong = (
        f"it was said to use it strongly in {told.strong.count} of {told.strong.n} cases in which that could be said "
        f"({_interval(told.strong)})"
    )
    if not told.high.n:
        return f"{strong}; none of the verdicts could be high"
    return f"{strong}, and {told.high.count} of {told.high.n} verdicts that could be high were ({_interval(told.high)})"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _interval(share: CountedShare) -> str:
    return f"95 % interval {share.low * 100:.0f} to {share.high * 100:.0f} %"
