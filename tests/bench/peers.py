"""What others would say of the same cases: Datalab's spurious correlations and a SpRAy baseline.

Datalab (cleanlab 2.9) asks whether one property of the whole picture (dark, light, blurry, grey, little information,
odd shape or size) predicts the label: a score below 0.3, its own limit, is an alarm. It names no place and no class, so
any alarm counts as found. By design it could see what changes such a property: a tint, a soft background, broad black
or white borders and captions; a small sticker, a pale logo or who is in the picture it could not.

SpRAy (Lapuschkin et al., "Unmasking Clever Hans predictors and assessing what machines really learn", Nature
Communications 2019) clusters each class's maps by spectral clustering, their number by the largest gap between the
eigenvalues, and leaves the verdict to a person who looks at the clusters. We let that person be perfect: it is found
where in any class some cluster's share of marked photographs differs from the rest of its class (Fisher's exact test,
Bonferroni over the clusters of both classes). A perfect person raises no false alarm; ``clusters`` is how many there
are to look at. Its maps are our Grad-CAM maps, rectified and scaled to the sum 1, where it had relevance maps of LRP.
"""

import contextlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import laplacian
from scipy.stats import fisher_exact
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph

from audit.data.dataset import Dataset, load_dataset
from audit.explain.read_maps import read_maps
from audit.store.audit_folder import AuditFolder
from tests.bench.audit_sets import Truth

_NEIGHBOURS, _MOST_CLUSTERS, _SIGNIFICANT = 10, 8, 0.05


def compare_peers(folder: AuditFolder, truth: Truth) -> dict[str, Any]:
    """Both peers' answers about a case whose audit has its maps, as plain values."""
    dataset = load_dataset(folder)
    marked = np.array([truth.marked[path] for path in dataset.images["path"]], bool)
    return {
        "datalab": _datalab(dataset),
        "spray": spray(read_maps(folder, np.arange(len(marked))), dataset, marked),
    }


def _datalab(dataset: Dataset) -> dict[str, Any]:
    # Imported here: cleanlab silences all warnings of the process that imports it, and tests of SpRAy do without it.
    from cleanlab import Datalab
    from datasets import Dataset as TableOfPhotographs
    from datasets import Image

    paths = [str(dataset.file_of(image).path) for image in range(len(dataset.images))]
    columns = {"image": paths, "label": dataset.images["label"].tolist()}
    photographs = TableOfPhotographs.from_dict(columns).cast_column("image", Image())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        lab = Datalab(photographs, label_name="label", image_key="image", verbosity=0)
        lab.find_issues()
    told = lab.get_info("spurious_correlations")
    scores = dict(told["correlations_df"].itertuples(index=False))
    flagged = sorted(name for name, score in scores.items() if score < told["threshold"])
    return {
        "flagged": [name.removesuffix("_score") for name in flagged],
        "scores": {name.removesuffix("_score"): float(score) for name, score in scores.items()},
        "found": bool(flagged),
    }


def spray(maps: NDArray[np.float32], dataset: Dataset, marked: NDArray[np.bool_]) -> dict[str, Any]:
    """How many clusters the maps (n, h, w) of all classes have, and the least corrected p of any of them."""
    tests = []
    for label in range(len(dataset.classes)):
        rows = np.flatnonzero(dataset.labels == label)
        assigned = cluster_maps(maps[rows])
        for cluster in np.unique(assigned):
            inside = assigned == cluster
            table = [[np.sum(marked[rows] & side), np.sum(~marked[rows] & side)] for side in (inside, ~inside)]
            tests.append(float(fisher_exact(table).pvalue))
    least = min(1.0, min(tests) * len(tests))
    return {"clusters": len(tests), "p": least, "found": least < _SIGNIFICANT}


def cluster_maps(maps: NDArray[np.float32]) -> NDArray[np.int64]:
    """The cluster of each map (n, h, w).

    Spectral clustering on the graph of ten nearest neighbours: k-means of the rows of the first eigenvectors of its
    normalised Laplacian, scaled to unit length.
    """
    positive = np.maximum(maps, 0).reshape(len(maps), -1).astype(np.float64)
    scaled = positive / np.maximum(positive.sum(1, keepdims=True), 1e-12)
    graph = kneighbors_graph(scaled, min(_NEIGHBOURS, len(maps) - 1), include_self=True).toarray()
    values, vectors = np.linalg.eigh(laplacian(np.maximum(graph, graph.T), normed=True))
    count = eigengap(values)
    rows = vectors[:, :count] / np.maximum(np.linalg.norm(vectors[:, :count], axis=1, keepdims=True), 1e-12)
    return KMeans(count, n_init=10, random_state=0).fit(rows).labels_.astype(np.int64)


def eigengap(values: NDArray[np.floating]) -> int:
    """The number of clusters, two to eight, that precedes the widest gap between ascending eigenvalues.

    >>> eigengap(np.array([0, 0.01, 0.02, 0.6, 0.65]))
    3
    """
    # The first gap is the widest wherever the graph hangs together; then there would be nothing to look at.
    return int(np.diff(values[1 : _MOST_CLUSTERS + 1]).argmax()) + 2
