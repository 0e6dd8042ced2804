"""Which class a photograph is of, where nobody said so: the audit's models' answer, less what the orders' cues add.

The models lean on the very cues that the orders ask for, so that their own answer about a photograph in a rare state is
mostly the class that the state leans to. What a state adds to the answers is known from the audited photographs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config
from audit.cues.cue_table import load_cues
from audit.data.dataset import Dataset, load_dataset
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.model.predict import mean_probabilities
from audit.plan.picking.pool import PoolImage
from audit.store.audit_folder import AuditFolder, read_table
from audit.text import printable

_LEAST = 1e-4


@dataclass(frozen=True, eq=False)
class Guesses:
    """Of n photographs: ``said`` float (n, classes) by the models, ``corrected`` (n, classes) without what cues add."""

    said: NDArray[np.float64]
    corrected: NDArray[np.float64]


def guess(
    folder: AuditFolder, config: Config, images: Sequence[PoolImage], cues: Sequence[str], states: NDArray[np.bool_]
) -> Guesses:
    """Mean class probabilities by all folds' models, none of which has seen these images, and the same corrected.

    ``states`` boolean (n, cues): which of the images show each of ``cues``. Raises what the networks' files and reading
    the images raise.
    """
    store = ActivationStore.open(folder, config)
    networks = [load_fold(store, fold) for fold in range(config.training.folds)]
    table = pd.DataFrame({"path": [one.path for one in images], "sha256": [one.file.sha256 for one in images]})
    root = images[0].root
    pool = Dataset(printable(root.name), root, store.dataset.classes, (), table, table.iloc[:0])
    said = mean_probabilities(store, networks, pool)
    return Guesses(said, corrected(said, states, _added_by(folder, cues)))


def effects(
    said: NDArray[np.float64], labels: NDArray[np.int64], states: NDArray[np.bool_], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What each cue adds to the log-probabilities of the classes, float (cues, classes).

    Least squares over n audited images of known state: a mean for each class, and for each cue half of its effect where
    it is there and minus half where it is not. ``said`` (n, classes) are out-of-fold predictions.
    """
    rows = known.all(1)
    per_class = np.eye(said.shape[1])[labels[rows]]
    design = np.concatenate([per_class, states[rows] - 0.5], axis=1)
    fitted = np.linalg.lstsq(design, _logs(said[rows]), rcond=None)[0]
    return np.asarray(fitted[said.shape[1] :], np.float64)


def corrected(said: NDArray[np.float64], states: NDArray[np.bool_], added: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities (n, classes) without what the states of cues (n, cues) add by ``effects`` (cues, classes)."""
    logs = _logs(said) - (states - 0.5) @ added
    odds = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True), np.float64)


def _logs(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log(np.clip(probabilities, _LEAST, 1))
    return np.asarray(logs - logs.mean(1, keepdims=True), np.float64)


def _added_by(folder: AuditFolder, cues: Sequence[str]) -> NDArray[np.float64]:
    table, labels = load_cues(folder), load_dataset(folder).labels
    said = np.stack(read_table(folder.predictions)["probabilities"].to_list()).astype(np.float64)
    present, known = (
        np.stack([of_cue(table.named(name)) for name in cues], axis=1) for of_cue in (table.present, table.known)
    )
    return effects(said, labels, present, known)
