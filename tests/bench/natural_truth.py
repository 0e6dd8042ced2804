"""Whether a model really uses a confounder: its answers on photographs that no training of the pair has seen.

A model that reads the confounder names the class that it leans to more often where the confounder is there, within the
photographs of one class. The mean over the classes of these differences is how much less often it is right in the rare
cells than in the common ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from audit.config import Config
from audit.measures.intervals import contrast_interval, wilson
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder
from tests.bench.natural_cases import NaturalCase
from tests.bench.natural_sets import Drawn, write_manifest
from tests.bench.trunk_store import prefill

Use = Literal["yes", "no", "unclear"]
USED_FROM = 0.1


@dataclass(frozen=True)
class Gap:
    """How much more often the class that the confounder leans to is named where it is there; -1..1, 95 % interval.

    ``n`` is how many photographs of the rarer cell there are, over the classes that have both.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def use(self) -> Use:
        """Whether that is use: from USED_FROM on and certainly more than nothing; not, if certainly less than that."""
        if self.value >= USED_FROM and self.low > 0:
            return "yes"
        return "no" if self.high < USED_FROM else "unclear"


def predict_held(
    case: NaturalCase, drawn: Drawn, audited: AuditFolder, config: Config, trunk: Path, work: Path
) -> NDArray[np.bool_]:
    """Of every held photograph whether the audited model names the class that the confounder leans to, (n,).

    The model's answer is that of the mean of all folds' probabilities. ``config`` are the settings of the audit in
    ``audited``; ``work`` is an empty folder.
    """
    write_manifest(drawn.held, case.classes, work / "images.csv")
    place = {"manifest": work / "images.csv", "min_images_per_class": 2}
    config = config.model_copy(update={"dataset": config.dataset.model_copy(update=place)})
    folder = AuditFolder(work / "audit")
    run_stage(next(stage for stage in STAGES if stage.name == "dataset"), folder, config)
    prefill(folder, config, trunk)
    own, store = ActivationStore.open(audited, config), ActivationStore.open(folder, config)
    networks = [load_fold(own, fold) for fold in range(config.training.folds)]
    leaning = own.dataset.classes.index(case.classes[case.lean])
    said = {}
    for images, inputs in store.batches(np.arange(len(store.dataset.images)), config.compute.batch_size):
        scores = [network.head(network.tail(inputs)).softmax(1) for network in networks]
        named = np.mean([one.detach().cpu().numpy() for one in scores], axis=0).argmax(1) == leaning
        said |= dict(zip(store.dataset.images["path"].iloc[images], named.tolist(), strict=True))
    return np.array([said[path] for path in drawn.held["path"]], bool)


def gap(named: NDArray[np.bool_], cue: NDArray[np.integer], labels: NDArray[np.integer]) -> Gap | None:
    """The gap of a model's answers ``named`` (n,), given who has the confounder and which class; None without both.

    Classes without photographs on both sides are left out. The interval adds up the four shares' Wilson intervals
    (Newcombe 1998; Zou & Donner 2008).
    """
    sides = []
    for label in np.unique(labels):
        both = [named[(labels == label) & (cue == side)] for side in (1, 0)]
        if all(map(len, both)):
            sides.append(both)
    if not sides:
        return None
    cells = [side for both in sides for side in both]
    coefficients = np.array([1.0, -1.0] * len(sides)) / len(sides)
    shares = np.array([cell.mean() for cell in cells])
    lows, highs = np.array([wilson(float(cell.sum()), len(cell)) for cell in cells]).T
    low, high = contrast_interval(coefficients, shares, lows, highs)
    least = min(sum(len(both[side]) for both in sides) for side in (0, 1))
    return Gap(float(coefficients @ shares), float(low), float(high), least)


def gap_of(held: Mapping[str, list[int]]) -> Gap | None:
    """As ``gap``, from lists that a result keeps: ``named``, ``cue`` and ``label``."""
    named, cue, labels = (np.array(held[name], int) for name in ("named", "cue", "label"))
    return gap(named.astype(bool), cue, labels)
