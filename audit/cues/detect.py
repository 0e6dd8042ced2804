"""Looking for every cue in every photograph, once: a process pool, and files of 256 photographs each."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from audit.config import Config, model_folder
from audit.cues.cue import GRID, Cue, Detector, Mask, Sighting
from audit.cues.photo import LONGEST, Networks, Photo
from audit.cues.registry import choose_cues, choose_detectors, missing_cues
from audit.dataset import Dataset, load_dataset
from audit.errors import AuditFolderError, RejectedImage, StageError
from audit.folder import AuditFolder, read_json, value_digest, write_atomically, write_json
from audit.images import open_photo
from audit.modelfiles import require
from audit.progress import note, track

SHARD = 256
# Starting a worker takes as long as looking at about this many photographs.
_IMAGES_PER_WORKER = 24
_IN_FLIGHT_PER_WORKER = 4

Row = dict[str, NDArray[Any]]


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

    def masks(self, images: NDArray[np.integer]) -> Mask:
        """Where the cues are, boolean (len(images), K, GRID, GRID) over the whole picture; reads only their shards."""
        masks = np.zeros((len(images), len(self.cues), GRID, GRID), bool)
        shards = np.asarray(images) // SHARD
        for shard in np.unique(shards):
            rows = np.flatnonzero(shards == shard)
            packed = _read_shard(shard_path(self.folder, int(shard)), ("masks",))["masks"]
            masks[rows] = unpack_masks(packed[np.asarray(images)[rows] % SHARD])
        return masks


def build(folder: AuditFolder, config: Config) -> list[Path]:
    """Stage: look for the cues of the settings. Writes ``detections/detectors.json`` and its shards.

    Cues that cannot be looked for on this machine are noted and listed there, and the work goes on without them. Shards
    that an earlier, interrupted run left are kept if they answer the same question, else deleted.

    Raises ConfigError for an unknown cue and MissingModelFile, both before any work, and StageError naming the
    photograph on which a detector fails.
    """
    left_out = missing_cues(config.cues)
    for cue, reason in left_out.items():
        note(f"The cue '{cue}' is not looked for: {reason}.")
    config = config.model_copy(update={"cues": [name for name in config.cues if name not in left_out]})
    cues, detectors = choose_cues(config.cues), choose_detectors(config.cues)
    for model in dict.fromkeys(model for detector in detectors for model in detector.models):
        require(model_folder(config), model.name)
    dataset = load_dataset(folder)
    _drop_stale(folder, _key(folder, cues, detectors))
    starts = range(0, len(dataset.images), SHARD)
    missing = [start for start in starts if not shard_path(folder, start // SHARD).exists()]
    _fill_shards(folder, config, dataset, missing)
    summary = folder.detections / "detectors.json"
    versions = {detector.name: detector.version for detector in detectors}
    listed = {"grid": GRID, "cues": [asdict(cue) for cue in cues], "versions": versions}
    write_json(summary, {**listed, "not_looked_for": left_out})
    return [summary, *(shard_path(folder, start // SHARD) for start in starts)]


def load_detections(folder: AuditFolder) -> Detections:
    """Read what the stage wrote, masks excepted. Raises AuditFolderError when a file is missing or damaged."""
    cues = tuple(Cue(**cue) for cue in read_json(folder.detections / "detectors.json")["cues"])
    names = ("present", "score", "area")
    shards = [_read_shard(path, names) for path in sorted(folder.detections.glob("shard-*.safetensors"))]
    present, score, area = (np.concatenate([shard[name] for shard in shards]) for name in names)
    return Detections(folder, cues, present.astype(bool), score, area)


def not_looked_for(folder: AuditFolder) -> dict[str, str]:
    """Cues of the settings that the stage had to leave out, each with the reason, the end of a sentence."""
    left_out: dict[str, str] = read_json(folder.detections / "detectors.json")["not_looked_for"]
    return left_out


def shard_path(folder: AuditFolder, shard: int) -> Path:
    """The file that holds the images from ``shard * SHARD`` on."""
    return folder.detections / f"shard-{shard:05d}.safetensors"


def to_grid(mask: Mask) -> Mask:
    """A mask (h, w) on the GRID x GRID cells of the picture, each held if the mask covers most of it.

    A thin mask that would lose over half of its area holds every cell that it covers by a quarter, or else those that
    it covers most, so that none vanishes.
    """
    # cv2 averages areas only where both sides shrink.
    fine = mask.repeat(-(-GRID // mask.shape[0]), 0).repeat(-(-GRID // mask.shape[1]), 1)
    share = cv2.resize(fine.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    for least in (0.5, 0.25):
        cells: Mask = share > least
        if cells.mean() >= 0.5 * mask.mean():
            return cells
    fullest: Mask = (share > 0) & (share >= 0.999 * share.max())
    return fullest


def pack_masks(masks: Mask) -> NDArray[np.uint8]:
    """Bits of masks (..., GRID, GRID) as uint8 (..., GRID * GRID / 8)."""
    return np.packbits(masks.reshape(*masks.shape[:-2], GRID * GRID), axis=-1)


def unpack_masks(packed: NDArray[np.uint8]) -> Mask:
    """Inverse of ``pack_masks``."""
    return np.unpackbits(packed, axis=-1).astype(bool).reshape(*packed.shape[:-1], GRID, GRID)


@dataclass(frozen=True)
class Looker:
    """What looks at photographs, in whichever process it is made."""

    cues: tuple[Cue, ...]
    detectors: tuple[Detector, ...]
    networks: Networks
    max_megapixels: float

    @classmethod
    def of(cls, config: Config) -> "Looker":
        """For the cues of the settings."""
        networks = Networks(model_folder(config))
        return cls(choose_cues(config.cues), choose_detectors(config.cues), networks, config.dataset.max_megapixels)

    def look(self, path: Path) -> Row:
        """Every cue in one photograph. Raises StageError, naming it, when it cannot be read or a detector fails."""
        try:
            pixels = np.asarray(open_photo(path, self.max_megapixels, LONGEST))
        except RejectedImage as error:
            raise StageError(f"{path}: readable before, but not now ({error}); run the audit again.") from None
        photo, seen = Photo(pixels, self.networks), dict[str, Sighting]()
        for detector in self.detectors:
            try:
                seen.update(detector.detect(photo))
            except Exception as error:
                raise StageError(
                    f"{path}: the detector '{detector.name}' failed on this photograph ({error!r}); leave it out."
                ) from error
        return _row([seen[cue.name] for cue in self.cues])


def _row(sightings: Sequence[Sighting]) -> Row:
    found = [sighting.mask if sighting.present else None for sighting in sightings]
    empty = np.zeros((GRID, GRID), bool)
    masks = np.array([empty if mask is None else to_grid(mask) for mask in found], bool)
    return {
        "present": np.array([sighting.present for sighting in sightings], np.uint8),
        "score": np.array([sighting.score for sighting in sightings], np.float32),
        "area": np.array([0.0 if mask is None else mask.mean() for mask in found], np.float32),
        "masks": pack_masks(masks.reshape(-1, GRID, GRID)),
    }


def _key(folder: AuditFolder, cues: Sequence[Cue], detectors: Sequence[Detector]) -> str:
    versions = {detector.name: [detector.version, *(m.sha256 for m in detector.models)] for detector in detectors}
    return value_digest([cue.name for cue in cues], versions, read_json(folder.dataset)["digest"], GRID, LONGEST)


def _drop_stale(folder: AuditFolder, key: str) -> None:
    """Delete the shards that an earlier run left for other photographs, cues or detectors."""
    path = folder.detections / "key.json"
    if path.exists() and read_json(path) == {"key": key}:
        return
    for stale in (*folder.detections.glob("shard-*"), folder.detections / "detectors.json"):
        stale.unlink(missing_ok=True)
    write_json(path, {"key": key})


def _fill_shards(folder: AuditFolder, config: Config, dataset: Dataset, missing: Sequence[int]) -> None:
    n = len(dataset.images)
    images = [image for start in missing for image in range(start, min(start + SHARD, n))]
    with track("looking for cues", n) as advance, _looking(config, len(images)) as look:
        advance(n - len(images))
        rows = look([dataset.path_of(image) for image in images])
        for start in missing:
            shard = np.arange(start, min(start + SHARD, n), dtype=np.int32)
            found = [_counted(next(rows), advance) for _ in shard]
            tensors = {"image": shard, **{name: np.stack([row[name] for row in found]) for name in found[0]}}
            _write_shard(shard_path(folder, start // SHARD), tensors)


def _counted(row: Row, advance: Callable[[int], None]) -> Row:
    advance(1)
    return row


def _write_shard(path: Path, tensors: Row) -> None:
    write_atomically(path, lambda aside: save_file(tensors, aside))


def _read_shard(path: Path, names: Sequence[str]) -> Row:
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError):
        raise AuditFolderError(f"{path}: missing or damaged; delete it and run the audit again.") from None


@contextmanager
def _looking(config: Config, n_images: int) -> Iterator[Callable[[Sequence[Path]], Iterator[Row]]]:
    """Yield a function from photographs' paths to their rows, in order; workers end with the block, however it ends."""
    workers = min(config.compute.workers, n_images // _IMAGES_PER_WORKER)
    if workers == 0:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            looker = Looker.of(config)
            yield lambda paths: map(looker.look, paths)
        finally:
            cv2.setNumThreads(threads)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (config,))
    try:
        yield lambda paths: _in_order(pool, paths, workers * _IN_FLIGHT_PER_WORKER)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, paths: Sequence[Path], in_flight: int) -> Iterator[Row]:
    """Rows in the order of the paths. Few are handed out ahead, so that an interrupted run need not wait for many."""
    waiting: deque[Future[Row]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(_look, path))
            if len(waiting) >= in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise StageError("A worker that looked for cues was killed; free memory or set compute.workers to 0.") from None


_looker: Looker


def _start_worker(config: Config) -> None:
    """Prepare a worker process: Ctrl-C is the parent's business, and a parent that was killed takes it along."""
    global _looker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()
    cv2.setNumThreads(1)
    _looker = Looker.of(config)


def _die_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _look(path: Path) -> Row:
    return _looker.look(path)
