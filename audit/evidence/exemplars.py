"""Example images of a cue and a class: those that show it well, and those that contradict it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.cues.cue_table import CueTable
from audit.data.batches import Images
from audit.data.dataset import Dataset, one_per_group
from audit.detectors.cue import Cue
from audit.explain.explain_json import Cluster


class Exemplars:
    """Chooses the example images of a finding: up to ``count`` that show it, and as many that contradict it."""

    def __init__(
        self,
        clusters: Sequence[Cluster[int]],
        dataset: Dataset,
        cues: CueTable,
        trust: NDArray[np.float64],
        count: int,
    ) -> None:
        self.clusters, self.dataset, self.cues, self.trust, self.count = clusters, dataset, cues, trust, count

    def showing(self, cue: Cue, label: str) -> tuple[str, ...]:
        """Images of the class with the cue, those first where it holds most attention and the model is sure."""
        inside = self._in_class(label)
        attention = np.nan_to_num(self.cues.column(cue, "attention").astype(np.float64))
        score = (attention if attention.any() else 1.0) * self.trust
        return self._paths(np.flatnonzero(inside & self.cues.present(cue)), score)

    def against(self, cue: Cue, label: str) -> tuple[str, ...]:
        """Images of other classes with the cue, then of the class without it; the least sure first."""
        present, inside = self.cues.present(cue), self._in_class(label)
        images = np.flatnonzero((present & ~inside) | (~present & inside & self.cues.known(cue)))
        return self._paths(images, present[np.arange(len(present))] - self.trust)

    def cluster(self, cue: Cue) -> int | None:
        """The largest cluster of attention that shows the cue."""
        if cue.kind == "cluster":
            return cue.number
        return next((cluster.cluster for cluster in self.clusters if cluster.name == cue.name), None)

    def medians(self, cue: Cue, label: str) -> tuple[float, float] | None:
        """The medians of a number that was measured on the file, in the class and elsewhere."""
        values, inside = self.cues.column(cue, "score").astype(np.float64), self._in_class(label)
        sides = [values[side & np.isfinite(values)] for side in (inside, ~inside)]
        return (float(np.median(sides[0])), float(np.median(sides[1]))) if all(map(len, sides)) else None

    def _in_class(self, label: str) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = self.dataset.labels == self.dataset.classes.index(label)
        return inside

    def _paths(self, images: Images, score: NDArray[np.float64]) -> tuple[str, ...]:
        ordered = images[np.argsort(-score[images], kind="stable")]
        shown = one_per_group(ordered, self.dataset.groups)[: self.count]
        return tuple(str(path) for path in self.dataset.images["path"].iloc[shown])
