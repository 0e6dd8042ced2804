"""The detect stage: every detector looks at every photograph once; the masks are kept on a small grid."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from audit import checkpoints
from audit.config import Config, model_folder
from audit.cues.cue import GRID, Cue, Detector, Mask, Sighting
from audit.cues.photo import LONGEST, Networks, Photo
from audit.cues.registry import choose_cues, choose_detectors
from audit.dataset import load_dataset
from audit.errors import RejectedImage, StageError
from audit.folder import AuditFolder, read_json, value_digest, write_json
from audit.images import open_photo
from audit.modelfiles import require
from audit.pixels import Images
from audit.progress import track

SHARD = 256
_CHUNK = 8


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

    def masks(self, images: Images) -> NDArray[np.bool_]:
        """Where the cues are, boolean (len(images), K, GRID, GRID) over the whole picture; reads only their shards."""
        packed = np.zeros((len(images), len(self.cues), GRID * GRID // 8), np.uint8)
        shards = np.asarray(images) // SHARD
        for number in np.unique(shards):
            rows = np.flatnonzero(shards == number)
            with safe_open(_shard_path(self.folder, int(number)), framework="numpy") as shard:
                packed[rows] = shard.get_tensor("masks")[np.asarray(images)[rows] % SHARD]
        return np.unpackbits(packed, axis=2).astype(bool).reshape(len(images), len(self.cues), GRID, GRID)


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: write ``detections/shard-*.safetensors`` of up to 256 images each, and ``detections/detectors.json``.

    A killed run goes on at the shard it was in. Raises MissingModelFile before any work if a detector's model file is
    not there, and StageError naming the photograph on which a detector failed.
    """
    dataset, cues = load_dataset(folder), choose_cues(config.cues)
    detectors = choose_detectors(config.cues)
    for detector in detectors:
        for model in detector.models:
            require(model_folder(config), model.name)
    key = _key(folder, detectors, cues)
    paths = [_shard_path(folder, number) for number in range(-(-len(dataset.images) // SHARD))]
    with track("detect", len(dataset.images)) as advance, _lookers(config) as look:
        for number, path in enumerate(paths):
            images = range(number * SHARD, min((number + 1) * SHARD, len(dataset.images)))
            if checkpoints.load_header(path).get("key") != key:
                rows = []
                for row in look(dataset, images):
                    rows.append(row)
                    advance(1)
                checkpoints.save_tensors(path, _stack(rows, images), {"key": key})
            else:
                advance(len(images))
    summary = folder.detections / "detectors.json"
    versions = {detector.name: detector.version for detector in detectors}
    write_json(summary, {"grid": GRID, "cues": [asdict(cue) for cue in cues], "versions": versions})
    return [summary, *paths]


def load_detections(folder: AuditFolder) -> Detections:
    """Open the detections of an audit; masks are read only when they are asked for."""
    summary = read_json(folder.detections / "detectors.json")
    columns: dict[str, list[NDArray[Any]]] = {"present": [], "score": [], "area": []}
    for path in sorted(folder.detections.glob("shard-*.safetensors")):
        with safe_open(path, framework="numpy") as shard:
            for name, parts in columns.items():
                parts.append(shard.get_tensor(name))
    present, score, area = (np.concatenate(parts) for parts in columns.values())
    return Detections(folder, tuple(Cue(**cue) for cue in summary["cues"]), present.astype(bool), score, area)


def to_grid(mask: Mask) -> Mask:
    """A mask of any size on the GRID x GRID grid: cells that it covers by half.

    Where none is, those that it covers most, so that a thin border or a small mark does not vanish.
    """
    share = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    cells: Mask = share > 0.5
    return cells if cells.any() or not mask.any() else share >= share.max()


@dataclass(frozen=True)
class _Row:
    present: list[bool]
    score: list[float]
    area: list[float]
    masks: NDArray[np.uint8]


class _Looker:
    """Runs the detectors on photographs, in whichever process it is made."""

    def __init__(self, config: Config) -> None:
        cv2.setNumThreads(1)
        self.config = config
        self.cues, self.detectors = choose_cues(config.cues), choose_detectors(config.cues)
        self.networks = Networks(model_folder(config))

    def look(self, path: Path) -> _Row:
        try:
            picture = open_photo(path, self.config.dataset.max_megapixels, LONGEST)
            photo = Photo(np.asarray(picture), self.networks)
            seen = {name: one for detector in self.detectors for name, one in detector.detect(photo).items()}
        except (RejectedImage, OSError, cv2.error) as error:
            raise StageError(f"{path}: a detector failed on this photograph ({error}); leave it out.") from None
        return _row([seen[cue.name] for cue in self.cues])


_looker: _Looker | None = None


def _start_worker(config: Config) -> None:
    global _looker
    _looker = _Looker(config)


def _look(path: Path) -> _Row:
    assert _looker is not None  # made by _start_worker
    return _looker.look(path)


@contextmanager
def _lookers(config: Config) -> Iterator[Any]:
    """A function that yields the row of each image, in order, worked out by ``compute.workers`` processes."""
    if config.compute.workers < 2:
        looker = _Looker(config)
        yield lambda dataset, images: (looker.look(dataset.path_of(image)) for image in images)
        return
    pool = ProcessPoolExecutor(config.compute.workers, get_context("spawn"), _start_worker, (config,))
    try:
        yield lambda dataset, images: pool.map(_look, [dataset.path_of(image) for image in images], chunksize=_CHUNK)
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()  # an interrupted run must not wait for the photographs already handed out
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _row(sightings: list[Sighting]) -> _Row:
    masks = np.zeros((len(sightings), GRID, GRID), bool)
    for index, sighting in enumerate(sightings):
        if sighting.present and sighting.mask is not None:
            masks[index] = to_grid(sighting.mask)
    return _Row(
        present=[sighting.present for sighting in sightings],
        score=[sighting.score for sighting in sightings],
        area=[float(one.mask.mean()) if one.present and one.mask is not None else 0.0 for one in sightings],
        masks=np.packbits(masks.reshape(len(sightings), -1), axis=1),
    )


def _stack(rows: list[_Row], images: range) -> dict[str, torch.Tensor]:
    return {
        "image": torch.tensor(list(images), dtype=torch.int32),
        "present": torch.tensor([row.present for row in rows], dtype=torch.uint8),
        "score": torch.tensor([row.score for row in rows], dtype=torch.float32),
        "area": torch.tensor([row.area for row in rows], dtype=torch.float32),
        "masks": torch.from_numpy(np.stack([row.masks for row in rows])),
    }


def _key(folder: AuditFolder, detectors: tuple[Detector, ...], cues: tuple[Cue, ...]) -> str:
    versions = [(detector.name, detector.version) for detector in detectors]
    return value_digest(read_json(folder.dataset)["digest"], versions, [cue.name for cue in cues], GRID)


def _shard_path(folder: AuditFolder, number: int) -> Path:
    return folder.detections / f"shard-{number:05d}.safetensors"
