"""The plan's strategy ``mask``: a copy of an audit's images with one cue taken out, one subfolder per class."""

import re
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image

from audit.config import Config, load_config, model_folder
from audit.cues.cue_table import CueTable, load_cues
from audit.cues.file_words import remedy
from audit.data.dataset import Dataset, load_dataset
from audit.data.decode import open_photo
from audit.data.outputs import Inputs, new_folder, require_new_folder
from audit.data.photo_file import PhotoFile
from audit.detection.registry import choose_detectors, require_models
from audit.detection.workers import read_shrunk
from audit.detectors.cue import Cue, Detector, Mask
from audit.detectors.photo import Networks, Photo, Pixels
from audit.errors import ConfigError, OutputError, RejectedImage, StageError
from audit.plan.remove_cue import allowed_removal, retouch
from audit.progress import track
from audit.store.audit_folder import AuditFolder
from audit.text import nearest

_QUALITY = 95


def write_retouched(folder: AuditFolder, name: str, out: Path, irrelevant: bool = False) -> tuple[int, int]:
    """Write the audit's images below ``out`` without the cue called ``name``; return how many, how many changed.

    All are saved alike, as JPEG without metadata: were only the changed ones, their encoding would be a new cue. A cue
    that is no mark must be among the settings' ``irrelevant_cues``, or be declared ``irrelevant`` here.

    ``out`` appears when it is whole. Raises AuditFolderError when the audit is unfinished, OutputError when ``out``
    cannot be used, ConfigError for a cue that cannot be masked, ChangedImage for an image that is no longer the one
    that was audited, and StageError naming one that can no longer be decoded.
    """
    folder.require_finished()
    config, dataset, cues = load_config(folder.config), load_dataset(folder), load_cues(folder)
    cue = _cue_called(name, cues)
    removal = allowed_removal(cue, [*config.irrelevant_cues, *([name] if irrelevant else [])])
    if removal is None:
        raise ConfigError(why_not(cue))
    require_new_folder(out, Inputs.of_audit(folder).with_folder(dataset.root))
    finder, present = _Finder.of(config, dataset, cues, cue), cues.present(cue)
    with new_folder(out) as aside, track("masking", total=len(present)) as advance:
        paths = Paths(aside)
        for image, (path, label) in enumerate(zip(dataset.images["path"], dataset.images["label"], strict=True)):
            pixels = _read(dataset.file_of(image), config.dataset.max_megapixels)
            if present[image]:
                pixels = retouch(pixels, finder.mask(image, pixels.shape[:2]), removal)
            _save(pixels, paths.of(str(path), str(label)))
            advance(1)
    return len(present), int(present.sum())


@dataclass(frozen=True)
class _Finder:
    """Masks of a cue in full resolution: the detector is asked again, since what the audit keeps is coarse.

    Clusters have no ``detector``; their masks are those of the audit.
    """

    max_megapixels: float
    dataset: Dataset
    cues: CueTable
    cue: Cue
    networks: Networks
    detector: Detector | None

    @classmethod
    def of(cls, config: Config, dataset: Dataset, cues: CueTable, cue: Cue) -> "_Finder":
        """Raises MissingModelFile when the detector needs a file that is not in the cache folder."""
        detectors = () if cue.kind == "cluster" else choose_detectors(config)
        detector = next(
            (candidate for candidate in detectors if cue.name in {offered.name for offered in candidate.cues}), None
        )
        require_models(config, [detector] if detector else [])
        return cls(config.dataset.max_megapixels, dataset, cues, cue, Networks(model_folder(config)), detector)

    def mask(self, image: int, shape: tuple[int, int]) -> Mask:
        """Boolean, of the image's ``shape`` (h, w); empty where the detector sees nothing."""
        small_mask = (
            self.cues.masks(self.cue, np.array([image]))[0]
            if self.detector is None
            else self._asked(self.detector, image)
        )
        if small_mask is None:
            return np.zeros(shape, bool)
        whole = cv2.resize(small_mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(whole > 0.5, np.bool_)

    def _asked(self, detector: Detector, image: int) -> Mask | None:
        """As the audit asked: of the image decoded at reduced size, so that the answer is the same."""
        decoded = read_shrunk(self.dataset.file_of(image), self.max_megapixels)
        photo = Photo(
            np.asarray(decoded.image), self.networks, str(self.dataset.images["path"].iloc[image]), decoded.width
        )
        return detector.detect(photo)[self.cue.name].mask


@dataclass(frozen=True)
class Paths:
    """The path of each image in the copy. Names come from strangers: what cannot be a plain name is replaced."""

    out: Path
    _folders: dict[str, str] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)

    def of(self, path: str, label: str, suffix: str = ".jpg") -> Path:
        """``out``/class/path.jpg, or with another ``suffix``; different for every call."""
        if label not in self._folders:
            self._folders[label] = self._free("", _plain(label))
        parts = PurePosixPath(path).parts
        inside = parts[1:] if len(parts) > 1 and parts[0] == label else parts
        name = PurePosixPath(_plain("-".join(inside)))
        folder = self._folders[label]
        return self.out / folder / f"{self._free(f'{folder}/', name.stem)}{suffix}"

    def _free(self, before: str, name: str) -> str:
        """The name, with a number behind it if it is taken; case does not count, as on many file systems."""
        numbered = (f"{name}-{number}" for number in count(2))
        free = next(
            candidate for candidate in chain([name], numbered) if (before + candidate).casefold() not in self._taken
        )
        self._taken.add((before + free).casefold())
        return free


def _plain(text: str) -> str:
    """A name without separators and control characters that begins with a letter, a digit or an underscore.

    >>> _plain("../=a/b.jpg"), _plain("..")
    ('a-b.jpg', 'x')
    """
    return re.sub(r"[^\w. -]+", "-", text).strip(" .-")[-120:] or "x"


def _cue_called(name: str, cues: CueTable) -> Cue:
    names = [cue.name for cue in cues.cues]
    if name not in names:
        raise ConfigError(f"--cue {name}: this audit has no such cue; the nearest is '{nearest(name, names)}'.")
    return cues.named(name)


def why_not(cue: Cue) -> str:
    """Why a cue for which there is no way to mask it cannot be masked, and what can be done instead."""
    if cue.kind == "attribute" and not cue.has_place:
        return f"--cue {cue.name}: a column of the table has no place in the picture, so nothing can be masked."
    if cue.kind == "file":
        return f"--cue {cue.name}: {cue.words} is no place in the picture. {remedy(cue.name)}"
    if cue.whole != cue.name:
        return f"--cue {cue.name}: masking one look alone would give it away; mask all of it with --cue {cue.within}."
    return (
        f"--cue {cue.name}: {cue.words} is no mark on the picture, and the answer may lie in it; if you know that it "
        "does not, say so with --irrelevant."
    )


def _read(file: PhotoFile, max_megapixels: float) -> Pixels:
    try:
        return np.asarray(open_photo(file, max_megapixels))
    except RejectedImage as error:
        raise StageError(f"{file.path}: could be read when the audit ran, but no longer can ({error}).") from None


def _save(pixels: Pixels, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, "JPEG", quality=_QUALITY, subsampling=0)
    except OSError as error:
        raise OutputError(
            f"{path.parent.name}/{path.name}: cannot be written ({error.strerror or error}); choose another --out."
        ) from None
