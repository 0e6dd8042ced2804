"""Occluded views by which a verification measures effects: a cue, or its control mask, occluded as in the audit."""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from audit.cues.cue_table import CueTable
from audit.data.dataset import load_dataset
from audit.data.occlude import both_views, controls_of, mean_colour
from audit.evidence.occlusion_test import FILLINGS, masks_of
from audit.findings.finding import Finding
from audit.measures.figures import Filling
from audit.model.activation_store import TRUNK, ActivationStore, to_half
from audit.model.network import Network
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, read_table, value_digest
from audit.store.shards import ShardStore, divide
from audit.store.tensors import map_array

# Pairs of views in a shard.
_PART = 64


def filling_of(finding: Finding) -> Filling:
    """The filling under which occluding the cue of a finding had the smallest effect."""
    return finding.evidence.effect.filling or FILLINGS[0]


def choose_pairs(audit: AuditFolder, cues: CueTable, findings: Iterable[Finding]) -> pd.DataFrame:
    """Pairs to occlude for these findings, columns cue (its index), image, filling: as in the audit.

    Raises AuditFolderError when the audit has no occlusion test.
    """
    asked = read_table(audit.masking)
    asked = asked[asked["p_control"].notna()]
    pairs = set()
    for finding in findings:
        cue = cues.named(finding.cue)
        filling = filling_of(finding)
        images = asked.loc[(asked["cue"] == cue.whole) & (asked["filling"] == filling), "image"]
        pairs |= {(cue.whole, int(image), filling) for image in images if cues.present(cue)[image]}
    return pd.DataFrame(sorted(pairs), columns=["cue", "image", "filling"]).astype({"image": "int64"})


def view_activations(
    store: ActivationStore, cues: CueTable, pairs: pd.DataFrame, rows: NDArray[np.integer]
) -> NDArray[np.float16]:
    """The trunk's activations of both views of some pairs, float16 (rows, 2, C, h, w): cue and control occluded.

    Those of all pairs are kept in the cache of the audit: every seed and every strategy asks about the same images.
    Raises AuditFolderError when the dataset stage is not done, or a shard is damaged.
    """
    if not len(rows):
        return np.zeros((0, 2, 1, 1, 1), np.float16)
    audited = load_dataset(cues.folder)
    asked = [value_digest(*pair) for pair in pairs.itertuples(index=False)]
    shards = divide(np.arange(len(pairs)), _PART, (f"{TRUNK}-views-" + "{:05d}").format, asked)
    photographs = audited.images["sha256"].tolist()
    made_from = version_of("masking"), store.cache.key, photographs, cues.places
    shard_store = ShardStore(cues.folder.cache, value_digest(*made_from))
    colour = cache(lambda: mean_colour(audited, store.config))
    with track("hiding cues", len(pairs), "pairs") as advance:
        shard_store.fill(
            shards, lambda shard: {TRUNK: _activations(store, cues, pairs.iloc[shard.rows], colour())}, advance
        )
    mapped = {
        number: map_array(shard_store.path(shards[number]), TRUNK) for number in np.unique(rows // _PART).tolist()
    }
    return np.stack([mapped[row // _PART][row % _PART] for row in rows.tolist()])


def _activations(
    store: ActivationStore, cues: CueTable, pairs: pd.DataFrame, colour: NDArray[np.float64]
) -> NDArray[np.float16]:
    views, parts = _views(store, cues, pairs, colour), []
    while batch := list(islice(views, store.config.compute.batch_size)):
        parts.append(to_half(store.compute(np.stack(batch))))
    activations = np.concatenate(parts)
    return activations.reshape(-1, 2, *activations.shape[1:])


def predict_views(store: ActivationStore, network: Network, views: NDArray[np.floating]) -> NDArray[np.float32]:
    """Class probabilities (n, 2, classes) that a network in evaluation mode gives for views (n, 2, C, h, w)."""
    answers = [np.zeros((0, 2, len(store.dataset.classes)), np.float32)]
    step = max(1, store.config.compute.batch_size // 2)
    for start in range(0, len(views), step):
        trunk = store.runtime.to_device(np.ascontiguousarray(views[start : start + step])).float().flatten(0, 1)
        activations = store.runtime.infer(network.tail, trunk.contiguous(memory_format=torch.channels_last))
        with torch.no_grad():
            scores = network.head(activations).softmax(1).cpu().numpy()
        answers.append(scores.reshape(-1, 2, scores.shape[1]))
    return np.concatenate(answers)


def _views(
    store: ActivationStore, cues: CueTable, pairs: pd.DataFrame, colour: NDArray[np.float64]
) -> Iterator[NDArray[np.uint8]]:
    """For every pair the image with the cue occluded, then with its control occluded, uint8 (size, size, 3) each."""
    config, images = store.config, pairs["image"].to_numpy()
    masks = masks_of(cues, pairs)
    controls = controls_of(masks[:, None], images, config.seed)[:, 0]
    colours = [colour if filling == "mean" else None for filling in pairs["filling"]]
    return both_views(store.dataset, config, images, masks, controls, colours)
