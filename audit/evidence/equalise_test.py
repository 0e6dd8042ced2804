"""Equalising test: the answers of the model to photographs evened out in a fact of the file, or changed as much away.

What the network sees of a photograph depends on its file, too: shape, resolution, compression, colour, light. So each
photograph is put to the network of its fold twice: brought to what is typical of the other side, and changed just as
much the other way round. If the model does not read the fact, both changes cost alike; if it does, they do not. Where a
change also destroys content, which its opposite does not, it is made in as many photographs of the class as of the
others: what it destroys costs both of them, and so cancels; what the model reads moves both towards one side.
"""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.dataset import Dataset
from audit.data.decode import open_photo
from audit.data.facts.equalise import views
from audit.errors import RejectedImage, StageError
from audit.evidence.equalise_choice import choose_evenings
from audit.evidence.put_to_model import put_to_model
from audit.measures.effect import may_show_more
from audit.measures.limits import EFFECT
from audit.measures.measure import Bools, Floats, Ints
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import fold_path, load_fold
from audit.model.network import Network
from audit.progress import track
from audit.steps import version_of
from audit.store.audit_folder import file_digest, read_table, value_digest, write_table
from audit.store.shards import Arrays, Shard, ShardStore, divide

_PART = 64
_VIEWS = ("before", "equalised", "control")


def ask_equalised(store: ActivationStore) -> list[Path]:
    """Write ``equalised.parquet``, one row per cue of the file, class and photograph that was evened out.

    ``way``: whether the fact that points to the class was "taken" from the photograph, or it was "given" that.
    ``p_before``, ``p_equalised``, ``p_control``: the probability, 0..1, of the class where it was taken, of all others
    together where it was given; ``predicted_`` the classes predicted. ``evidence.min_images`` come first, and the
    others only if they may show more, as in the occlusion test. At most ``MORE_THAN_HIDDEN`` times
    ``evidence.effect_images`` photographs of each cue and class, two passes through the network for each. Returns the
    files written.

    ``equalising/<round>-fold-<f>-<n>.safetensors`` hold the same rows. Raises StageError for a photograph that can no
    longer be decoded, and ChangedImage where it is another one.
    """
    folder, settings = store.folder, store.config.evidence
    chosen = choose_evenings(store.dataset, store.config.seed, settings.effect_images, settings.min_images)
    kept = ShardStore(folder / "equalising", _key(store))
    ask, early = partial(_ask, kept, store, chosen), (chosen["rank"] < settings.min_images).to_numpy()
    first = ask(np.flatnonzero(early), 1)
    late = ask(np.flatnonzero(~early & _is_open(chosen, _answered(kept, first), store)), 2)
    kept.discard_others([*first, *late], "*")
    write_table(folder.equalised, _named(_answered(kept, [*first, *late]), chosen, store.dataset))
    return [folder.equalised, *map(kept.path, [*first, *late])]


def no_equalised() -> pd.DataFrame:
    """``equalised.parquet`` where nothing was evened out."""
    types = {"cue": "object", "class": "object", "image": "int64", "way": "object"}
    types |= {f"p_{view}": "float64" for view in _VIEWS} | {f"predicted_{view}": "int64" for view in _VIEWS}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})


def _ask(
    kept: ShardStore, store: ActivationStore, chosen: pd.DataFrame, rows: NDArray[np.int64], number: int
) -> list[Shard]:
    """Ask each fold's network about its photographs among some rows of the choice."""
    contents = [str(pair) for pair in chosen.itertuples(index=False, name=None)]
    folds, asked = store.dataset.folds[chosen["image"].to_numpy()[rows]], []
    with track(f"evening out the file (round {number})", len(rows), "photographs") as advance:
        for fold in range(store.config.training.folds):
            network = cache(partial(load_fold, store, fold))
            shards = divide(rows[folds == fold], _PART, (f"{number}-fold-{fold}-" + "{:05d}").format, contents)
            kept.fill(shards, lambda shard: _answers(store, network(), chosen, shard.rows), advance)  # noqa: B023
            asked += shards
    return asked


def _answers(store: ActivationStore, network: Network, chosen: pd.DataFrame, rows: NDArray[np.integer]) -> Arrays:
    """What a shard holds: the rows of the choice, and probabilities and predictions of every view (rows,)."""
    pairs = chosen.iloc[rows]
    images, labels = pairs["image"].to_numpy(), pairs["class"].to_numpy()
    before = np.stack(read_table(store.folder.predictions)["probabilities"].to_list())[images]
    asked, _ = put_to_model(store, network, _both_views(store, pairs))
    answers = {"before": before, "equalised": asked[0::2], "control": asked[1::2]}
    right = {name: _right(values, labels, (pairs["way"] == "taken").to_numpy()) for name, values in answers.items()}
    predicted = {f"predicted_{name}": values.argmax(1).astype(np.int64) for name, values in answers.items()}
    return {"row": np.asarray(rows, np.int64), **{f"p_{name}": p for name, p in right.items()}, **predicted}


def _right(probabilities: Floats, labels: Ints, taken: Bools) -> NDArray[np.float64]:
    """The probability of the class (n,) where the fact was taken, of all other classes together where it was given."""
    p = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return np.where(taken, p, 1 - p)


def _both_views(store: ActivationStore, pairs: pd.DataFrame) -> Iterator[NDArray[np.uint8]]:
    size, most = store.config.model.image_size, store.config.dataset.max_megapixels
    for pair in pairs.itertuples():
        file = store.dataset.file_of(pair.image)
        try:
            picture = open_photo(file, most)
        except RejectedImage as error:
            reason = f"{file.path}: could be read when the audit began, but no longer can ({error})."
            raise StageError(reason) from error
        yield from views(picture, pair.fact, pair.value, pair.target, size)


def _is_open(chosen: pd.DataFrame, answered: pd.DataFrame, store: ActivationStore) -> NDArray[np.bool_]:
    """Of each row of the choice, whether more photographs of its cue and class may show more."""
    settings, pairs = store.config.evidence, chosen.groupby(["cue", "class"]).ngroup().to_numpy()
    drops = (answered["p_control"] - answered["p_equalised"]).to_numpy(np.float64)
    of_pair, is_open = pairs[answered["row"]], np.zeros(len(chosen), bool)
    for pair in np.unique(of_pair):
        some = drops[of_pair == pair]
        is_open[pairs == pair] = may_show_more(
            some, EFFECT.ruled_out, store.config.seed, settings.resamples, settings.min_images
        )
    return is_open


def _answered(kept: ShardStore, shards: Sequence[Shard]) -> pd.DataFrame:
    columns = ["row", *(name for name in no_equalised() if name.startswith(("p_", "predicted_")))]
    parts = [pd.DataFrame(kept.read(shard, *columns)) for shard in shards]
    empty = no_equalised().assign(row=pd.Series(dtype="int64"))[columns]
    return pd.concat(parts, ignore_index=True) if parts else empty


def _named(answered: pd.DataFrame, chosen: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """The answers with what was asked, in the columns of ``equalised.parquet``."""
    pairs = chosen.iloc[answered["row"]][["cue", "class", "image", "way"]].reset_index(drop=True)
    named = pairs.assign(**{"class": np.array(dataset.classes, object)[pairs["class"]]})
    return pd.concat([named, answered.drop(columns="row")], axis=1)[list(no_equalised())]


def _key(store: ActivationStore) -> str:
    """Digest of all that the answers depend on but the rows of a shard."""
    models = [file_digest(fold_path(store.folder, fold)) for fold in range(store.config.training.folds)]
    shown = store.dataset.images["sha256"].tolist()
    return value_digest(shown, models, version_of("masking"), file_digest(store.folder.predictions), store.cache.key)
