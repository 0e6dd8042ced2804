"""Looking at photographs with the detectors, in this process or in a pool of workers."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path

import cv2
import numpy as np

from audit.config import Config, model_folder
from audit.data.decode import DecodedImage, read_photo
from audit.data.ordered_map import submit_in_order
from audit.data.photo_file import PhotoFile
from audit.detection.cache import Answer
from audit.detection.registry import choose_detectors
from audit.detectors.cue import Detector
from audit.detectors.photo import LONGEST, Networks, Photo
from audit.errors import RejectedImage, StageError
from audit.processes import safe_children

# Starting a worker takes as long as looking at about this many photographs.
IMAGES_PER_WORKER = 24
_IN_FLIGHT_PER_WORKER = 4


@dataclass(frozen=True)
class Job:
    """A photograph and the detectors (places in the settings' list) that are to look at it."""

    file: PhotoFile
    path: str
    detectors: tuple[int, ...]


Answers = dict[int, Answer]


@dataclass(frozen=True)
class Looker:
    """What looks at photographs, in whichever process it is made."""

    detectors: tuple[Detector, ...]
    networks: Networks
    max_megapixels: float

    @classmethod
    def of(cls, config: Config) -> "Looker":
        """For the cues of the settings."""
        return cls(choose_detectors(config), Networks(model_folder(config)), config.dataset.max_megapixels)

    def look(self, job: Job) -> Answers:
        """The answers asked for.

        Raises ChangedImage when the photograph is no longer the one that was fingerprinted, and StageError naming the
        file when it cannot be decoded or a detector fails.
        """
        found = read_shrunk(job.file, self.max_megapixels)
        photo = Photo(np.asarray(found.image), self.networks, job.path, found.width)
        return {place: self._ask(self.detectors[place], photo, job.file.path) for place in job.detectors}

    def _ask(self, detector: Detector, photo: Photo, path: Path) -> Answer:
        try:
            seen = detector.detect(photo)
            return Answer.of([seen[cue.name] for cue in detector.cues])
        except Exception as error:
            raise StageError(
                f"{path}: the detector '{detector.name}' failed on this photograph ({error!r}); leave it out."
            ) from error


def read_shrunk(file: PhotoFile, max_megapixels: float) -> DecodedImage:
    """A photograph decoded as detectors see it.

    Raises ChangedImage when it is no longer the one that was fingerprinted, and StageError naming the file when it can
    no longer be decoded.
    """
    try:
        return read_photo(file, max_megapixels, LONGEST)
    except RejectedImage as error:
        raise StageError(f"{file.path}: readable before, but not now ({error}); run the audit again.") from None


@contextmanager
def looking(config: Config, jobs: int) -> Iterator[Callable[[Sequence[Job]], Iterator[Answers]]]:
    """Yield a function from jobs to their answers, in order; workers end with the block, however it ends.

    ``jobs`` is how many photographs there are to look at: few are not worth a worker's start.
    """
    workers = min(config.compute.workers, jobs // IMAGES_PER_WORKER)
    if workers == 0:
        with _one_thread():
            looker = Looker.of(config)
            yield lambda jobs: map(looker.look, jobs)
        return
    with safe_children():
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (config,))
        try:
            yield lambda jobs: _in_order(pool, jobs, workers * _IN_FLIGHT_PER_WORKER)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _in_order(pool: ProcessPoolExecutor, jobs: Sequence[Job], in_flight: int) -> Iterator[Answers]:
    """Answers in the order of the jobs. Few are handed out ahead, so that an interrupted run need not wait for many."""
    try:
        yield from submit_in_order(pool, _look, jobs, in_flight)
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


def _look(job: Job) -> Answers:
    return _looker.look(job)
