"""The stage that looks for every cue in every photograph, once, in files of 256 photographs each."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from audit.attributes.attribute import Attribute
from audit.config import Config
from audit.data.dataset import Dataset, load_dataset
from audit.detection.ask import Asked, Questions
from audit.detection.cache import Answer, detector_key
from audit.detection.detections import DETECTIONS_PER_SHARD, SHARD_NAME, VALUES, Detections, load_columns
from audit.detection.detectors_json import DetectedCue, DetectorList, MeasuredAttribute
from audit.detection.registry import (
    choose_attributes,
    choose_cues,
    choose_detectors,
    listed_cues,
    missing_cues,
    require_models,
)
from audit.detection.workers import Answers, read_shrunk
from audit.detectors.cue import ABSENT, GRID, Cue, Detector, Mask, Sighting
from audit.detectors.marks.find_printed_marks import find_overlays
from audit.detectors.marks.find_stickers import find_stickers
from audit.detectors.marks.patch import PATCH
from audit.detectors.marks.printed_mark import OVERLAY, overlay_cues, small_shape
from audit.detectors.marks.vignette import VIGNETTE
from audit.detectors.mask_grid import unpack_masks
from audit.detectors.photo import Pixels
from audit.detectors.user_cues import OwnCueDetector
from audit.progress import note
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, value_digest, write_record
from audit.store.shards import Shard, ShardStore, divide
from audit.store.tensors import load_header

# Photographs in which a printed mark is compared with other marks.
_COMPARED = 200
_EDGE_CELLS = 5
# One cue in every image.
Column = list[Answer]


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: look for the cues of the settings. Writes ``detections/detectors.json`` and its shards.

    A detector that has seen a photograph before, in whichever audit, is not asked about it again. Cues that cannot be
    looked for on this machine are noted and listed there, and the work goes on without them. Shards that an earlier,
    interrupted run left are kept if they answer the same question, else deleted.

    Raises ConfigError for an unknown cue and MissingModelFile, both before any work, and StageError naming the
    photograph on which a detector fails.
    """
    names = listed_cues(config)
    left_out = missing_cues(names)
    for cue, reason in left_out.items():
        note(f"The cue '{cue}' is not looked for: {reason}.")
    config = config.model_copy(update={"cues": [name for name in names if name not in left_out]})
    cues, detectors, attributes = choose_cues(config), choose_detectors(config), choose_attributes(config)
    require_models(config, detectors)
    dataset = load_dataset(folder)
    for detector in detectors:
        if isinstance(detector, OwnCueDetector):
            detector.require_marks(dataset.images["path"].tolist())
    asked = [cue.name for cue in cues], [one.name for one in attributes], list(map(detector_key, detectors))
    kept = ShardStore(folder.detections, value_digest(version_of("detect"), *asked))
    shards = _shards(dataset)
    kept.discard_others(shards, "shard-*")
    _Filler(kept, config, dataset, cues, attributes, detectors).fill(kept.missing(shards), len(dataset.images))
    columns = (*cues, *_add_columns(folder, kept, config, dataset, cues))
    cues = tuple({cue.name: cue for cue in columns}.values())
    summary = folder.detections / "detectors.json"
    versions = {detector.name: detector.version for detector in detectors}
    listed = tuple(
        DetectedCue(name=cue.name, words=cue.words, role=cue.role, kind=cue.kind, within=cue.within) for cue in cues
    )
    column_names = tuple(cue.name for cue in columns)
    listing = DetectorList(
        grid=GRID,
        cues=listed,
        columns=column_names,
        attributes=tuple(map(MeasuredAttribute.of, attributes)),
        versions=versions,
        not_looked_for=left_out,
    )
    write_record(summary, listing)
    return [summary, *map(kept.path, shards)]


def _shards(dataset: Dataset) -> list[Shard]:
    """All images in shards. Own marks are found by a photograph's path, so that this is part of what is asked."""
    contents = [value_digest(*of_one) for of_one in zip(dataset.images["sha256"], dataset.images["path"], strict=True)]
    return divide(np.arange(len(dataset.images), dtype=np.int32), DETECTIONS_PER_SHARD, SHARD_NAME.format, contents)


@dataclass(frozen=True)
class _Filler:
    """Looks at the photographs of missing shards and writes them."""

    kept: ShardStore
    config: Config
    dataset: Dataset
    cues: tuple[Cue, ...]
    attributes: tuple[Attribute, ...]
    detectors: tuple[Detector, ...]

    def fill(self, missing: Sequence[Shard], total: int) -> None:
        """Look at the photographs of the shards that are ``missing``; all images are ``total``."""
        questions = Questions(self.config, self.detectors, [self._asked(image) for image in range(total)])
        with closing(questions.answers([shard.rows.tolist() for shard in missing], total)) as parts:
            for answers, shard in zip(parts, missing, strict=True):
                self._write(shard, answers)

    def _asked(self, image: int) -> Asked:
        path = str(self.dataset.images["path"].iloc[image])
        return Asked(self.dataset.file_of(image), path, self.dataset.seen_as(image))

    def _write(self, shard: Shard, answers: Sequence[Answers]) -> None:
        """One shard, the cues in the order of the settings, then the attributes; lines of text in its header."""
        where = {cue.name: (p, k) for p, one in enumerate(self.detectors) for k, cue in enumerate(one.cues)}
        places = [where[cue.name] for cue in self.cues]
        arrays: dict[str, NDArray[Any]] = {"image": shard.rows}
        for name in _EMPTY:
            arrays[name] = _of_all(answers, places, name)
        asked = [where[attribute.name] for attribute in self.attributes]
        for name, kept_as in zip(VALUES, ("score", "present"), strict=True):
            arrays[name] = _of_all(answers, asked, kept_as)
        text = [
            (image, cue.name, line)
            for image, answer in zip(shard.rows.tolist(), answers, strict=True)
            for cue, (p, k) in zip(self.cues, places, strict=True)
            for line in answer[p].text[k]
        ]
        self.kept.write(shard, arrays, text=text)


def _of_all(answers: Sequence[Answers], places: Sequence[tuple[int, int]], name: str) -> NDArray[Any]:
    """One tensor of answers, (answers, places, ...), at places that are a detector's and one of its cues' each."""
    empty = _EMPTY[name]
    rows = [[answer[p].tensors[name][k] for p, k in places] for answer in answers]
    return np.array(rows, empty.dtype).reshape(len(answers), len(places), *empty.shape)


# What an answer holds of each cue.
_EMPTY = {name: tensor[0] for name, tensor in Answer.of([ABSENT]).tensors.items()}


@dataclass(frozen=True)
class _Together:
    """Looks for what shows only when all photographs have been seen, in those of which ``seen`` is known."""

    config: Config
    dataset: Dataset
    seen: Detections

    def read(self, image: int) -> Pixels:
        """A photograph as detectors see it."""
        return np.asarray(read_shrunk(self.dataset.file_of(image), self.config.dataset.max_megapixels).image)

    @property
    def distinct(self) -> NDArray[np.bool_]:
        """False for all but one photograph of a duplicate group."""
        return np.asarray(~self.dataset.images["group"].duplicated(), bool)

    def patches(self) -> Column:
        """Patches and stickers in every photograph; empty where there are no stickers."""
        stickers = find_stickers(self.read, self.distinct, self.config.compute.workers).sightings
        if not any(sticker.present for sticker in stickers):
            return []
        place = self.seen.place(PATCH)
        masks = self.seen.masks(np.arange(len(stickers)))[:, place]
        scores, areas = self.seen.score[:, place], self.seen.area[:, place]
        return [_with_sticker(*seen) for seen in zip(masks, scores, areas, stickers, strict=True)]

    def printed_marks(self, patches: Column) -> tuple[tuple[Cue, ...], list[Column]]:
        """Marks printed at one place of many photographs that nothing else sees: their cues, and each in every one."""
        search = find_overlays(self.read, self.distinct, self.config.compute.workers)
        shapes = [small_shape(tuple(size)) for size in self.dataset.images[["height", "width"]].to_numpy(int).tolist()]
        columns = [
            [Answer.of([overlay.sighting(*both)]) for both in zip(values, shapes, strict=True)]
            for overlay, values in zip(search.overlays, search.likeness.T.tolist(), strict=True)
        ]
        kept = [place for place, column in enumerate(columns) if not self._is_seen(column, patches)]
        return overlay_cues([search.overlays[place] for place in kept]), [columns[place] for place in kept]

    def _is_seen(self, column: Column, patches: Column) -> bool:
        """Whether most photographs that show a mark have half of it under some other mark that was found."""
        images = np.array([image for image, answer in enumerate(column) if answer.tensors["present"][0]][:_COMPARED])
        masks = _masks_of(column, images)
        masks_seen = self.seen.masks(images)
        others = masks_seen[:, self.seen.marks].any(1)
        for place, cue in enumerate(self.seen.cues):
            if cue.name == VIGNETTE:
                # The edge of its field lies alike in all photographs of a device, and half outside the dark.
                others = others | ndimage.binary_dilation(masks_seen[:, place], np.ones((1, *2 * (_EDGE_CELLS,))))
        if patches:
            others = others | _masks_of(patches, images)
        covered = (masks & others).sum((1, 2)) / masks.sum((1, 2))
        return bool((covered < 0.5).mean() <= 0.5)


def _with_sticker(patch: Mask, score: np.float32, area: np.float32, sticker: Sighting) -> Answer:
    """A patch, perhaps none, of which this was known, together with a sticker."""
    mask = patch if sticker.mask is None else patch | sticker.mask
    answer = Answer.of([Sighting.of_mask(mask, max(float(score), sticker.score), 0.0)])
    # The patch's own area was measured at the photograph's resolution.
    answer.tensors["area"][0] = max(area, answer.tensors["area"][0])
    return answer


def _masks_of(column: Column, images: NDArray[np.integer]) -> Mask:
    """Of a column's cue in some images, boolean (len(images), GRID, GRID)."""
    return unpack_masks(np.stack([column[image].tensors["masks"][0] for image in images.tolist()]))


def _add_columns(
    folder: AuditFolder, shards: ShardStore, config: Config, dataset: Dataset, cues: tuple[Cue, ...]
) -> tuple[Cue, ...]:
    """Look for what shows only when all photographs have been seen, and add it to every shard.

    The columns come behind those of ``cues``, the detectors': whatever an interrupted run left there is replaced. Where
    stickers are found, one of them is that of patches again, with the stickers. Returns the cues of the columns.
    """
    together = _Together(config, dataset, load_columns(folder, cues, [cue.name for cue in cues]))
    added = tuple(cue for cue in cues if cue.name == PATCH)
    patches = together.patches() if added else []
    added, columns = (added, [patches]) if patches else ((), [])
    if OVERLAY in config.cues:
        marks, printed = together.printed_marks(patches)
        added, columns = (*added, *marks), [*columns, *printed]
    for shard in _shards(dataset):
        arrays, text = shards.read(shard), load_header(shards.path(shard))["text"]
        if not columns and arrays["present"].shape[1] == len(cues):
            continue
        for name, empty in _EMPTY.items():
            rows = [[column[image].tensors[name][0] for column in columns] for image in arrays["image"].tolist()]
            extra = np.array(rows, empty.dtype).reshape(len(rows), len(columns), *empty.shape)
            arrays[name] = np.concatenate([arrays[name][:, : len(cues)], extra], axis=1)
        shards.write(shard, arrays, text=text)
    return added
