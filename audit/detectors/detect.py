"""The stage that looks for every cue in every photograph, once, in files of 256 photographs each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.config import Config, model_folder
from audit.data.dataset import Dataset, load_dataset
from audit.detectors.cache import Answer, KeptAnswers, detector_key, kept_answers
from audit.detectors.cue import ABSENT, GRID, Cue, Detector, Mask
from audit.detectors.detectors_json import DetectedCue, DetectorList
from audit.detectors.marks.find_printed_marks import find_overlays
from audit.detectors.marks.printed_mark import OVERLAY, overlay_cues, small_shape
from audit.detectors.mask_grid import unpack_masks
from audit.detectors.registry import choose_cues, choose_detectors, listed_cues, missing_cues
from audit.detectors.user_cues import OwnCueDetector
from audit.detectors.workers import Answers, Job, looking, read_shrunk
from audit.progress import note, track
from audit.steps import version_of
from audit.store.audit_folder import AuditFolder, file_digest, read_record, value_digest, write_record
from audit.store.model_files import require
from audit.store.shards import SUFFIX, Shard, ShardStore, divide
from audit.store.tensors import load_arrays, load_header

DETECTIONS_PER_SHARD = 256
_NAME = "shard-{:05d}"
# Photographs in which a printed mark is compared with other marks.
_COMPARED = 200


@dataclass(frozen=True)
class Detections:
    """What the detectors found: K cues, n images in order.

    ``present`` boolean (n, K); ``score`` float32 (n, K), 0..1; ``area`` float32 (n, K), share of the picture.
    """

    folder: AuditFolder
    cues: tuple[Cue, ...]
    present: NDArray[np.bool_]
    score: NDArray[np.float32]
    area: NDArray[np.float32]

    def place(self, name: str) -> int:
        """Where the cue of that name is among the K."""
        return [cue.name for cue in self.cues].index(name)

    @property
    def marks(self) -> list[int]:
        """Where among the K the marks on a picture are."""
        return [place for place, cue in enumerate(self.cues) if cue.role == "mark"]

    def masks(self, images: NDArray[np.integer]) -> Mask:
        """Where the cues are, boolean (len(images), K, GRID, GRID) over the whole picture; reads only their shards.

        Raises AuditFolderError when one is missing or damaged.
        """
        masks = np.zeros((len(images), len(self.cues), GRID, GRID), bool)
        shards = np.asarray(images) // DETECTIONS_PER_SHARD
        for shard in np.unique(shards):
            rows = np.flatnonzero(shards == shard)
            packed = load_arrays(shard_path(self.folder, int(shard)), "masks")["masks"]
            masks[rows] = unpack_masks(packed[np.asarray(images)[rows] % DETECTIONS_PER_SHARD, : len(self.cues)])
        return masks

    def text(self) -> pd.DataFrame:
        """Every line that was read: columns image, cue, text. Raises AuditFolderError for a damaged shard."""
        rows = [row for path in _shard_paths(self.folder) for row in load_header(path)["text"]]
        return pd.DataFrame(rows, columns=["image", "cue", "text"])


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
    cues, detectors = choose_cues(config), choose_detectors(config)
    for model in dict.fromkeys(model for detector in detectors for model in detector.models):
        require(model_folder(config), model.name)
    dataset = load_dataset(folder)
    for detector in detectors:
        if isinstance(detector, OwnCueDetector):
            detector.require_marks(dataset.images["path"].tolist())
    asked = [cue.name for cue in cues], list(map(detector_key, detectors))
    kept = ShardStore(folder.detections, value_digest(version_of("detect"), *asked))
    shards = _shards(dataset)
    kept.discard_others(shards, "shard-*")
    _Filler(kept, config, dataset, cues, detectors).fill(kept.missing(shards), len(dataset.images))
    if OVERLAY in config.cues:
        cues = (*cues, *_add_overlays(folder, kept, config, dataset, cues))
    summary = folder.detections / "detectors.json"
    versions = {detector.name: detector.version for detector in detectors}
    listed = tuple(
        DetectedCue(name=cue.name, words=cue.words, role=cue.role, kind=cue.kind, within=cue.within) for cue in cues
    )
    write_record(summary, DetectorList(grid=GRID, cues=listed, versions=versions, not_looked_for=left_out))
    return [summary, *map(kept.path, shards)]


def load_detections(folder: AuditFolder) -> Detections:
    """Read what the stage wrote, masks and text excepted. Raises AuditFolderError when a file is missing or damaged."""
    return _load(folder, tuple(cue.cue for cue in _listed(folder).cues))


def _load(folder: AuditFolder, cues: tuple[Cue, ...]) -> Detections:
    names = ("present", "score", "area")
    shards = [load_arrays(path, *names) for path in _shard_paths(folder)]
    present, score, area = (np.concatenate([shard[name][:, : len(cues)] for shard in shards]) for name in names)
    return Detections(folder, cues, present.astype(bool), score, area)


def not_looked_for(folder: AuditFolder) -> dict[str, str]:
    """Cues of the settings that the stage had to leave out, each with the reason, the end of a sentence."""
    return _listed(folder).not_looked_for


def _listed(folder: AuditFolder) -> DetectorList:
    return read_record(folder.detections / "detectors.json", DetectorList)


def detections_digest(folder: AuditFolder) -> str:
    """Digest of all that was found, masks included: maps are pooled, and photographs occluded, under these."""
    return value_digest([file_digest(path) for path in (folder.detections / "detectors.json", *_shard_paths(folder))])


def shard_path(folder: AuditFolder, shard: int) -> Path:
    """The file that holds the images from ``shard * DETECTIONS_PER_SHARD`` on."""
    return folder.detections / f"{_NAME.format(shard)}{SUFFIX}"


def _shards(dataset: Dataset) -> list[Shard]:
    """All images in shards. Own marks are found by a photograph's path, so that this is part of what is asked."""
    contents = [value_digest(*of_one) for of_one in zip(dataset.images["sha256"], dataset.images["path"], strict=True)]
    return divide(np.arange(len(dataset.images), dtype=np.int32), DETECTIONS_PER_SHARD, _NAME.format, contents)


@dataclass(frozen=True)
class _Filler:
    """Looks at the photographs of missing shards and writes them."""

    kept: ShardStore
    config: Config
    dataset: Dataset
    cues: tuple[Cue, ...]
    detectors: tuple[Detector, ...]

    def fill(self, missing: Sequence[Shard], total: int) -> None:
        """Look at the photographs of the shards that are ``missing``; all images are ``total``."""
        keys = [detector_key(one) if one.keepable else None for one in self.detectors]
        with track("looking for cues", total) as advance, kept_answers(self.config) as known:
            jobs = self._plan(known, keys, [image for shard in missing for image in shard.rows.tolist()])
            asked = [job for job in jobs.values() if job.detectors]
            advance(total - len(asked))
            with looking(self.config, len(asked)) as look:
                fresh = look(asked)
                for shard in missing:
                    answers = []
                    for image in shard.rows.tolist():
                        found = next(fresh) if jobs[image].detectors else {}
                        have = self._known(known, keys, image) | found
                        lost = tuple(place for place in range(len(keys)) if place not in have)
                        again = next(iter(look([replace(jobs[image], detectors=lost)]))) if lost else {}
                        answers.append(have | again)
                        self._keep(known, keys, image, found | again)
                        advance(bool(found))
                    self._write(shard, answers)
                    known.flush()

    def _plan(self, kept: KeptAnswers, keys: Sequence[str | None], images: Sequence[int]) -> dict[int, Job]:
        """What is to be asked about each image; planned again if what was known got lost meanwhile."""
        losses = None
        jobs: dict[int, Job] = {}
        while losses != kept.losses:
            losses = kept.losses
            jobs = {image: self._job(kept, keys, image) for image in images}
        return jobs

    def _keep(self, kept: KeptAnswers, keys: Sequence[str | None], image: int, found: Answers) -> None:
        kept.keep(self.dataset.seen_as(image), [(key, found[p]) for p, key in enumerate(keys) if key and p in found])

    def _known(self, kept: KeptAnswers, keys: Sequence[str | None], image: int) -> Answers:
        photo = self.dataset.seen_as(image)
        return {p: answer for p, key in enumerate(keys) if key and (answer := kept.get(photo, key))}

    def _job(self, kept: KeptAnswers, keys: Sequence[str | None], image: int) -> Job:
        known = self._known(kept, keys, image)
        asked = tuple(place for place in range(len(keys)) if place not in known)
        return Job(self.dataset.file_of(image), str(self.dataset.images["path"].iloc[image]), asked)

    def _write(self, shard: Shard, answers: Sequence[Answers]) -> None:
        """One shard, the cues in the order of the settings; lines of text in its header."""
        where = {cue.name: (p, k) for p, one in enumerate(self.detectors) for k, cue in enumerate(one.cues)}
        places = [where[cue.name] for cue in self.cues]
        arrays: dict[str, NDArray[Any]] = {"image": shard.rows}
        for name, empty in _EMPTY.items():
            rows = [[answer[p].tensors[name][k] for p, k in places] for answer in answers]
            arrays[name] = np.array(rows, empty.dtype).reshape(len(answers), len(places), *empty.shape)
        text = [
            (image, cue.name, line)
            for image, answer in zip(shard.rows.tolist(), answers, strict=True)
            for cue, (p, k) in zip(self.cues, places, strict=True)
            for line in answer[p].text[k]
        ]
        self.kept.write(shard, arrays, text=text)


# What an answer holds of each cue.
_EMPTY = {name: tensor[0] for name, tensor in Answer.of([ABSENT]).tensors.items()}


def _add_overlays(
    folder: AuditFolder, shards: ShardStore, config: Config, dataset: Dataset, others: tuple[Cue, ...]
) -> tuple[Cue, ...]:
    """Look for marks printed at one place of many photographs; add those that no detector sees to every shard.

    They come behind the ``others``, the detectors' cues: whatever an interrupted run left there is replaced.
    """
    first = ~dataset.images["group"].duplicated().to_numpy(bool)
    most = config.dataset.max_megapixels
    search = find_overlays(
        lambda image: np.asarray(read_shrunk(dataset.file_of(image), most).image), first, config.compute.workers
    )
    sizes = dataset.images[["height", "width"]].to_numpy(int)
    answers = [
        Answer.of(
            [one.sighting(float(value), small_shape(size)) for one, value in zip(search.overlays, row, strict=True)]
        )
        for row, size in zip(search.likeness, map(tuple, sizes), strict=True)
    ]
    kept = _not_seen_by(_load(folder, others), answers)
    for shard in _shards(dataset):
        arrays, text = shards.read(shard), load_header(shards.path(shard))["text"]
        if not kept and arrays["present"].shape[1] == len(others):
            continue
        for name, empty in _EMPTY.items():
            rows = [answers[image].tensors[name][kept] for image in arrays["image"]]
            added = np.array(rows, empty.dtype).reshape(len(rows), len(kept), *empty.shape)
            arrays[name] = np.concatenate([arrays[name][:, : len(others)], added], axis=1)
        shards.write(shard, arrays, text=text)
    return overlay_cues([search.overlays[place] for place in kept])


def _not_seen_by(found: Detections, answers: Sequence[Answer]) -> list[int]:
    """The overlays of which most photographs that show them have not half under some other mark that was found."""
    kept = []
    for place in range(len(answers[0].tensors["present"])):
        images = np.array([image for image, answer in enumerate(answers) if answer.tensors["present"][place]])
        images = images[:_COMPARED]
        masks = unpack_masks(np.stack([answers[image].tensors["masks"][place] for image in images]))
        covered = (masks & found.masks(images)[:, found.marks].any(1)).sum((1, 2)) / masks.sum((1, 2))
        if (covered < 0.5).mean() > 0.5:
            kept.append(place)
    return kept


def _shard_paths(folder: AuditFolder) -> list[Path]:
    return sorted(folder.detections.glob("shard-*.safetensors"))
