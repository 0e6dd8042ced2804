"""k-means with the largest number of clusters that random halves of the rows agree on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

_HALVES = 6
_FITTED_AT_MOST = 4000
_REGIONS_PER_CLUSTER = 12
_STABLE = 0.75


@dataclass(frozen=True)
class Grouping:
    """``assigned`` int (regions,), ``distance`` to the own centre (regions,), ``stability`` 0..1 (clusters,)."""

    assigned: NDArray[np.int64]
    distance: NDArray[np.float64]
    stability: NDArray[np.float64]


def group(features: NDArray[np.float64], most: int, seed: int) -> Grouping:
    """Cluster rows by k-means, with the largest k whose clustering is stable.

    For each k, k-means is fitted on random halves of the rows and applied to all; stability(k) is the mean adjusted
    Rand index between these clusterings. The largest k with stability of at least 0.75 is taken, else the k with the
    highest. A cluster's own stability is its mean best Jaccard overlap with the clusters of the halves (Hennig 2007).
    """
    rows = len(features)
    largest = min(most, rows // _REGIONS_PER_CLUSTER, _distinct_rows(features))
    if largest < 2:
        return _ungrouped(rows)
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(rows)[: min(_FITTED_AT_MOST, max(rows // 2, largest))] for _ in range(_HALVES)]
    largest = min(largest, *(_distinct_rows(features[half]) for half in halves))
    if largest < 2:
        return _ungrouped(rows)
    candidates: dict[int, list[NDArray[np.int64]]] = {}
    agreement: dict[int, float] = {}
    # So few rows are clustered faster by one thread than by several that wait for each other.
    with threadpool_limits(1):
        for k in range(largest, 1, -1):
            candidates[k] = [_fit(features[half], k, seed).predict(features) for half in halves]
            agreement[k] = _agreement(candidates[k])
            if agreement[k] >= _STABLE:
                break
        chosen = max(agreement, key=lambda k: (agreement[k], -k))
        return _final(features, chosen, candidates[chosen], rng, seed)


def refit(features: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each row (n, d) by k-means with ``k`` clusters, int (n,); fewer where fewer rows differ."""
    k = min(k, _distinct_rows(features))
    if k < 2:
        return np.zeros(len(features), np.int64)
    sample = np.sort(np.random.default_rng(seed).permutation(len(features))[:_FITTED_AT_MOST])
    with threadpool_limits(1):
        model = _fit(features[sample], min(k, _distinct_rows(features[sample])), seed)
        assigned: NDArray[np.int64] = model.predict(features).astype(np.int64)
    return assigned


def _distinct_rows(features: NDArray[np.float64]) -> int:
    return len(np.unique(features.round(9), axis=0))


def _ungrouped(rows: int) -> Grouping:
    return Grouping(np.zeros(rows, np.int64), np.zeros(rows), np.ones(1 if rows else 0))


def _final(
    features: NDArray[np.float64], k: int, references: list[NDArray[np.int64]], rng: np.random.Generator, seed: int
) -> Grouping:
    sample = np.sort(rng.permutation(len(features))[:_FITTED_AT_MOST])
    model = _fit(features[sample], k, seed)
    assigned = model.predict(features).astype(np.int64)
    counts = np.bincount(assigned, minlength=k)
    order = np.argsort(-counts, kind="stable")
    renamed = np.argsort(order)[assigned]
    distance = np.linalg.norm(features - model.cluster_centers_[assigned], axis=1)
    stability = np.array([_overlap(renamed == cluster, references) for cluster in range(np.count_nonzero(counts))])
    return Grouping(renamed, distance, stability)


def _fit(features: NDArray[np.float64], k: int, seed: int) -> KMeans:
    return KMeans(k, n_init=3, random_state=seed).fit(features)


def _agreement(labels: list[NDArray[np.int64]]) -> float:
    pairs = [(a, b) for i, a in enumerate(labels) for b in labels[:i]]
    return float(np.mean([adjusted_rand_score(a, b) for a, b in pairs]))


def _overlap(members: NDArray[np.bool_], references: list[NDArray[np.int64]]) -> float:
    best = []
    for labels in references:
        inside = np.bincount(labels[members], minlength=labels.max() + 1)
        union = np.bincount(labels, minlength=len(inside)) + members.sum() - inside
        best.append((inside / np.maximum(union, 1)).max())
    return float(np.mean(best))
