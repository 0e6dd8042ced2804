"""Copies of some of a dataset's own photographs, each as it is and with marks on it that make shortcuts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.config import Config
from audit.data.batches import Images
from audit.data.dataset import SEEN_AS, Dataset, load_dataset, one_per_group
from audit.data.dataset_json import DatasetSummary
from audit.data.folds import assign_folds
from audit.detection import detect
from audit.detection.workers import read_shrunk
from audit.model.activation_store import ActivationStore
from audit.selfaudit.forms import FORMS, Form
from audit.selfaudit.marks import Mark, Pixels
from audit.selfaudit.trial import Trial
from audit.selfaudit.trial_inputs import TrialInputs
from audit.store.audit_folder import AuditFolder, file_digest, value_digest, write_atomically, write_record, write_table

# How common a mark is in one class and in the other, plainest first.
PAIRS = ((0.95, 0.05), (0.8, 0.2), (0.7, 0.3), (0.6, 0.4))
_PLAIN = "plain"


@dataclass(frozen=True)
class Marked:
    """n photographs of two classes; ``labels`` (n,) are 0 or 1.

    ``copies`` holds, for "plain" and every form of a mark (by name), the image (n,) of each one's copy in ``inputs``;
    -1 for those that no trial needs.
    """

    inputs: TrialInputs
    labels: NDArray[np.int64]
    copies: Mapping[str, Images]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the two; the mark is put on more photographs of the first."""
        return self.inputs.store.dataset.classes

    def trial(self, form: Form, planted: NDArray[np.bool_]) -> Trial:
        """The photographs, those that are ``planted`` (n,) with the mark."""
        return Trial(np.where(planted, self.copies[form.name], self.copies[_PLAIN]), self.labels)

    def plain(self) -> Trial:
        """The photographs as they are."""
        return Trial(self.copies[_PLAIN], self.labels)


def mark_photographs(store: ActivationStore, cues: list[str], forms: Sequence[Form], path: Path) -> Marked:
    """Put marks of these forms on some photographs of a store, and look for the ``cues`` in all copies.

    The copies lie below the folder ``path`` and are as large as detectors see photographs. The plain ones are written
    and read again like the others, so that nothing but the mark tells them apart.
    """
    dataset, settings = store.dataset, store.config.self_audit
    # Each class needs a photograph in each fold.
    count = max(settings.power_images, 2 * store.config.training.folds)
    chosen, classes = choose_photographs(dataset, count, store.config.seed)
    labels = (dataset.labels[chosen] == classes[1]).astype(np.int64)
    copies = _numbered(labels, forms, pairs_of(settings.pairs), store.config.seed)
    folder, config = AuditFolder(path), _config_of_copies(store.config, cues)
    donor = _shrunk(dataset, donor_of(dataset, chosen, store.config.seed), config)
    marks = {form.name: form.make(donor) for form in forms}
    for place, image in enumerate(chosen):
        pixels = _shrunk(dataset, int(image), config)
        for version, picture in _versions(
            pixels, marks, {name: numbers[place] for name, numbers in copies.items()}, config.seed
        ):
            _save(picture, path / _name(copies[version][place]))
    _write_dataset(folder, dataset, chosen, [dataset.classes[label] for label in classes], copies, config)
    detect.build(folder, config)
    own = ActivationStore(folder, load_dataset(folder), config, store.backbone, store.runtime)
    return Marked(TrialInputs.of(own, np.arange(len(own.dataset.images))), labels, copies)


def choose_photographs(dataset: Dataset, count: int, seed: int) -> tuple[Images, tuple[int, int]]:
    """About ``count`` images of different duplicate groups, half of each of the two largest classes; and these."""
    first, second = np.sort(np.argsort(-np.bincount(dataset.labels), kind="stable")[:2])
    images = one_per_group(np.random.default_rng(seed).permutation(len(dataset.images)), dataset.groups)
    halves = [images[dataset.labels[images] == label][: count // 2] for label in (first, second)]
    return np.sort(np.concatenate(halves)), (int(first), int(second))


def donor_of(dataset: Dataset, chosen: Images, seed: int) -> int:
    """An image of which a piece is pasted on the ``chosen`` ones: none of them, where there is another."""
    others = np.setdiff1d(np.arange(len(dataset.images)), chosen)
    return int(np.random.default_rng((seed, len(chosen))).choice(others if len(others) else chosen))


def pairs_of(count: int) -> Sequence[tuple[float, float]]:
    """The shares that are tried, so many, plainest first."""
    return PAIRS[:count]


def spread(labels: NDArray[np.int64], share: float, elsewhere: float, seed: int) -> NDArray[np.bool_]:
    """Which photographs get a mark, boolean (n,): a ``share`` of class 0, and ``elsewhere`` of class 1, rounded.

    A class's photographs come in the same order for every share, so that a smaller share marks a part of the same ones.
    """
    planted = np.zeros(len(labels), bool)
    for label, wanted in enumerate((share, elsewhere)):
        images = np.random.default_rng((seed, label)).permutation(np.flatnonzero(labels == label))
        planted[images[: round(wanted * len(images))]] = True
    return planted


def _numbered(
    labels: NDArray[np.int64], forms: Sequence[Form], pairs: Sequence[tuple[float, float]], seed: int
) -> dict[str, Images]:
    """``Marked.copies``: every photograph as it is, and with each mark where any of the pairs needs that."""
    needed = np.any([spread(labels, *pair, seed) for pair in pairs], axis=0)
    copies: dict[str, Images] = {_PLAIN: np.arange(len(labels))}
    for number, form in enumerate(forms):
        copies[form.name] = np.where(needed, len(labels) + number * needed.sum() + np.cumsum(needed) - 1, -1)
    return copies


def _versions(
    pixels: Pixels, marks: Mapping[str, Mark], numbers: Mapping[str, int], seed: int
) -> Iterator[tuple[str, Pixels]]:
    """A photograph as it is and with each mark. A mark has one seed: all photographs carry the same one."""
    yield _PLAIN, pixels
    for place, form in enumerate(FORMS):
        if numbers.get(form.name, -1) >= 0:
            yield form.name, marks[form.name](pixels, np.random.default_rng((seed, place))).pixels


def _shrunk(dataset: Dataset, image: int, config: Config) -> Pixels:
    return np.asarray(read_shrunk(dataset.file_of(image), config.dataset.max_megapixels).image)


def _config_of_copies(config: Config, cues: list[str]) -> Config:
    """Marks that the user drew belong to the original files, and no attribute is a mark."""
    return config.model_copy(update={"cues": cues, "attributes": [], "own_cues": []})


def _write_dataset(
    folder: AuditFolder,
    dataset: Dataset,
    chosen: Images,
    classes: list[str],
    copies: Mapping[str, Images],
    config: Config,
) -> None:
    """``images.parquet`` and ``dataset.json`` of the copies; those of one photograph are in its fold and group."""
    originals = dataset.images.iloc[chosen]
    labels = (originals["label"] == classes[1]).to_numpy(np.int64)
    digests = originals["sha256"].tolist()
    folds = assign_folds(labels, dataset.groups[chosen], digests, config.training.folds, config.seed)
    parts = [originals.assign(fold=folds, image=numbers, version=version) for version, numbers in copies.items()]
    table = pd.concat([part[part["image"] >= 0] for part in parts], ignore_index=True)
    table = table.assign(image=table["image"].astype("int32"), path=[_name(image) for image in table["image"]])
    originals_of, written = table["sha256"], [file_digest(folder.path / path) for path in table["path"]]
    # In a copy without a mark detectors see what they saw in the original, and need not look again.
    table[SEEN_AS] = originals_of.where(table["version"] == _PLAIN, written)
    table["sha256"] = written
    write_table(folder.images, table.drop(columns="version"))
    summary = DatasetSummary(
        name=dataset.name,
        root=str(folder.path),
        classes=tuple(classes),
        attributes=dataset.attributes,
        n_images=len(table),
        n_rejected=0,
        digest=value_digest(table["sha256"].tolist()),
        cross_class_duplicates=(),
        n_duplicates=len(table) - table["duplicate"].nunique(),
        possible_group="",
        warnings=(),
    )
    write_record(folder.dataset, summary)


def _name(image: int) -> str:
    return f"copies/{image:05d}.ppm"


def _save(pixels: Pixels, path: Path) -> None:
    picture = Image.fromarray(pixels)
    write_atomically(path, lambda aside: picture.save(aside, "PPM"))
