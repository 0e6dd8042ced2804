"""The photographs on which remedies are tried: a biased training set, what was held back, and an even test set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from audit.cam.regions import cover
from audit.config import parse_config
from audit.cues.appearance_groups import find_looks
from audit.data.batches import Images
from audit.data.dataset import Dataset
from audit.detection.detections import Detections, load_detections
from audit.detectors.cue import GRID, Mask
from audit.detectors.mask_grid import to_grid
from audit.measures.limits import DIFFERENCE, Evidence, strength
from audit.measures.permutation import benjamini_hochberg
from audit.measures.prevalence import prevalence
from audit.model.activation_store import ActivationStore
from audit.model.pooling import masked_generalised_mean
from audit.plan.reweighting import rake, shopping_list
from audit.selfaudit.marks import Watermark
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder

Counts = Mapping[tuple[str, int], int]
SHARES = (0.25, 0.5, 1.0)
_MAP = (14, 14)
_TEST_SEED = 20251125


@dataclass(frozen=True)
class Condition:
    """Training images, and how often each image of the dataset counts (None: once)."""

    images: Images
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Study:
    """One shortcut. ``state`` (n,) is 1 where an image shows the cue; ``groups`` (n,) holds copies of one photograph
    together; ``watched`` float32 (n, 14, 14) is the share of each cell of a map that counts as the cue's place;
    ``objects`` (n, GRID, GRID) is where the subject is, if known. ``biased`` and ``balanced`` say how many training
    images of each class and state there are; ``test`` is used for nothing but the result."""

    name: str
    store: ActivationStore
    state: NDArray[np.int64]
    groups: NDArray[np.int64]
    watched: NDArray[np.float32]
    objects: Mask | None
    biased: Counts
    balanced: Counts
    test: Images
    expected: tuple[str, ...] = ()

    @property
    def dataset(self) -> Dataset:
        """All photographs."""
        return self.store.dataset

    @cached_property
    def pool(self) -> Images:
        """The training side: no copy of a test image is in it."""
        return np.flatnonzero(~np.isin(self.groups, self.groups[self.test]))

    def cell_of(self, images: Images) -> NDArray[np.int64]:
        """Class and state of images as one number, int64 (len(images),)."""
        return 2 * self.dataset.labels[images] + self.state[images]

    def draw(self, wanted: Counts, rng: np.random.Generator, taken: Images | None = None) -> Images:
        """So many images of each class and state from the pool, no two of one duplicate group, none of ``taken``'s."""
        used = set() if taken is None else set(self.groups[taken].tolist())
        chosen: list[int] = []
        order = rng.permutation(self.pool)
        for (label, state), count in wanted.items():
            cell = 2 * self.dataset.classes.index(label) + state
            found = []
            for image in order[self.cell_of(order) == cell]:
                group = int(self.groups[image])
                if len(found) < count and group not in used:
                    used.add(group)
                    found.append(int(image))
            if len(found) < count:
                raise ValueError(f"{self.name}: {len(found)} of {count} images of {label}, state {state}")
            chosen += found
        return np.sort(chosen)

    def conditions(self, seed: int) -> dict[str, Condition]:
        """Every way of training, for one draw of the training sets."""
        rng = np.random.default_rng((seed, 0))
        biased = self.draw(self.biased, rng)
        labels, state = self.dataset.labels[biased], self.state[biased]
        drawn = {
            "biased": Condition(biased),
            "balanced": Condition(self.draw(self.balanced, np.random.default_rng((seed, 1)))),
            "weight": Condition(biased, self._spread(biased, rake(labels, state).weights)),
            "drop": Condition(self._dropped(biased, rng)),
        }
        if self.expected:
            drawn["weight by looks"] = Condition(biased, self._weights_by_looks(biased))
        cells = shopping_list(labels, state, len(self.dataset.classes))
        wanted = {(self.dataset.classes[cell.label], int(cell.present)): cell.add for cell in cells}
        for share in SHARES:
            part = {cell: round(share * count) for cell, count in wanted.items()}
            added = self.draw(part, np.random.default_rng((seed, 2)), biased)
            drawn[f"collect {share:.0%}"] = Condition(np.sort(np.concatenate([biased, added])))
        return drawn

    def _dropped(self, images: Images, rng: np.random.Generator) -> Images:
        """The most images of which every class has equally many in each state."""
        cells = self.cell_of(images)
        counts = np.bincount(cells, minlength=2 * len(self.dataset.classes)).reshape(-1, 2)
        shuffled = rng.permutation(images)
        kept = [shuffled[self.cell_of(shuffled) == cell][: counts.min(0)[cell % 2]] for cell in range(counts.size)]
        return np.sort(np.concatenate(kept))

    def _spread(self, images: Images, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.zeros(len(self.dataset.images))
        spread[images] = weights
        return spread

    def _weights_by_looks(self, images: Images) -> NDArray[np.float64]:
        """Weights that free the class of every look that an audit of these images would flag, attributes unseen.

        An audit flags a look whose share differs strongly between the classes, with p corrected; ``expected`` cues
        excepted.
        """
        part = Dataset(
            self.dataset.name,
            self.dataset.root,
            self.dataset.classes,
            (),
            self.dataset.images.iloc[images].reset_index(drop=True),
            self.dataset.rejected,
        )
        seen = _PartlySeen.of(load_detections(self.store.folder), images)
        inside = np.load(inside_path(self.store), mmap_mode="r")
        found = find_looks(
            part, self.store.config, seen, lambda cue: inside[images][:, seen.place(cue.name)].astype(np.float32)
        )
        shares, looks = [], []
        for sorted_looks in found:
            for look in range(len(sorted_looks.cues) if sorted_looks.parent.name not in self.expected else 0):
                known = sorted_looks.assigned >= 0
                present = sorted_looks.assigned == look
                shares.append(prevalence(present[known], part.labels[known] == 0, part.groups[known], 0))
                looks.append(np.where(known, present, 2))
        adjusted = benjamini_hochberg([share.p for share in shares])
        flagged = [
            state
            for state, share, p in zip(looks, shares, adjusted, strict=True)
            if strength(_absolute(share.extra, float(p)), DIFFERENCE, tested=True) == "strong"
        ]
        states = np.stack(flagged, 1) if flagged else np.zeros((len(images), 0), int)
        return self._spread(images, rake(part.labels, states).weights)


def _absolute(extra: Mapping[str, float], p: float) -> Evidence:
    """The difference of two shares without its sign."""
    bounds = [extra["difference_low"], extra["difference_high"]]
    low, high = bounds if extra["difference"] >= 0 else [-bounds[1], -bounds[0]]
    return Evidence(abs(extra["difference"]), low, high, p)


@dataclass(frozen=True)
class _PartlySeen(Detections):
    """The detections of some images, numbered anew."""

    images: Images = None

    @classmethod
    def of(cls, whole: Detections, images: Images) -> "_PartlySeen":
        columns = (values[images] for values in (whole.present, whole.score, whole.area))
        return cls(whole.folder, whole.cues, *columns, images)

    def masks(self, images: Images) -> Mask:
        return super().masks(self.images[images])


def inside_path(store: ActivationStore) -> Path:
    """Where the pretrained activations pooled inside every detector's cue are kept, float16 (n, K, C)."""
    return store.folder / "inside.npy"


def doctors(data: Path, work: Path, depth: str) -> Study:
    """78 % of the doctors men, 93 % of the nurses women, 190 each, as in the paper; face and hair are watched."""
    manifest = data / "doctor-nurse" / "index.csv"
    tree = {"dataset": {"manifest": str(manifest), "attributes": ["gender", "skin"]}, "expected_cues": ["clothing"]}
    store = _prepare(work / f"doctor-nurse-{depth}", tree, depth, ("dataset", "features", "detect"))
    state = (store.dataset.images["attribute:gender"] == "female").to_numpy(np.int64)
    seen = load_detections(store.folder)
    masks = seen.masks(np.arange(len(state)))[:, [seen.place("face"), seen.place("hair")]].any(1)
    _keep_inside(store, seen)
    return Study(
        "doctor-nurse",
        store,
        state,
        store.dataset.groups,
        cover(masks, _MAP),
        None,
        {("doctor", 1): 42, ("doctor", 0): 148, ("nurse", 1): 177, ("nurse", 0): 13},
        {(label, state): 95 for label in ("doctor", "nurse") for state in (0, 1)},
        _even_test(store.dataset, state, store.dataset.groups, 46),
        ("clothing",),
    )


def animals(data: Path, work: Path, depth: str) -> Study:
    """A watermark across 9 of 10 kangaroos and 1 of 10 raccoons, 66 each; the test has every animal with and without.

    Every photograph is there twice, as it is and with the mark; both are of one duplicate group.
    """
    photos = work / "raccoon-kangaroo-marked"
    where = _plant(data / "raccoon-kangaroo", photos)
    tree = {"dataset": {"manifest": str(photos / "index.csv"), "attributes": ["marked"]}}
    store = _prepare(work / f"raccoon-kangaroo-{depth}", tree, depth, ("dataset", "features"))
    images = store.dataset.images
    state = (images["attribute:marked"] == "yes").to_numpy(np.int64)
    names = images["path"].map(_photo)
    plain = state == 0
    groups = names.map(dict(zip(names[plain], store.dataset.groups[plain], strict=True))).to_numpy(np.int64)
    marks, objects = (np.stack([where[name, kind] for name in names]) for kind in ("mark", "box"))
    return Study(
        "raccoon-kangaroo",
        store,
        state,
        groups,
        cover(marks, _MAP),
        objects,
        {("kangaroo", 1): 59, ("kangaroo", 0): 7, ("raccoon", 1): 7, ("raccoon", 0): 59},
        {(label, state): 33 for label in ("kangaroo", "raccoon") for state in (0, 1)},
        _even_test(store.dataset, state, groups, 40, copies=2),
    )


STUDIES: Mapping[str, Callable[[Path, Path, str], Study]] = {"doctor-nurse": doctors, "raccoon-kangaroo": animals}


def _prepare(folder: Path, tree: Mapping[str, object], depth: str, stages: tuple[str, ...]) -> ActivationStore:
    audit, config = AuditFolder(folder), parse_config({**tree, "model": {"fine_tune": depth}})
    for name in stages:
        run_stage(next(stage for stage in STAGES if stage.name == name), audit, config)
    return ActivationStore.open(audit, config)


def _even_test(
    dataset: Dataset, state: NDArray[np.int64], groups: NDArray[np.int64], per_cell: int, copies: int = 1
) -> Images:
    """So many images of each class and state, from groups of just ``copies`` images, whole groups only."""
    rng = np.random.default_rng(_TEST_SEED)
    sizes = np.bincount(groups)
    chosen = []
    for label in range(len(dataset.classes)):
        for value in (0, 1) if copies == 1 else (0,):
            rows = (dataset.labels == label) & (state == value) & (sizes[groups] == copies)
            chosen.append(rng.permutation(np.flatnonzero(rows))[:per_cell])
    return np.flatnonzero(np.isin(groups, groups[np.concatenate(chosen)]))


def _keep_inside(store: ActivationStore, seen: Detections) -> None:
    if inside_path(store).exists():
        return
    pooled = []
    for batch, trunk in store.batches(np.arange(len(store.dataset.images)), store.config.compute.batch_size):
        pretrained = store.backbone.tail(trunk).float()
        coverage = store.runtime.to_device(cover(seen.masks(batch), pretrained.shape[2:]))
        pooled.append(masked_generalised_mean(pretrained, coverage).half().numpy())
    np.save(inside_path(store), np.concatenate(pooled))


def _photo(path: str) -> str:
    return path.removeprefix("marked/").removeprefix("plain/")


def _plant(source: Path, out: Path) -> dict[tuple[str, str], Mask]:
    """Write every photograph twice, and a manifest; return where the mark and the animals are, by photograph."""
    index, boxes = pd.read_csv(source / "index.csv"), pd.read_csv(source / "boxes.csv").groupby("path")
    where, rows = {}, []
    for number, row in enumerate(index.itertuples()):
        pixels = np.asarray(Image.open(source / row.path).convert("RGB"))
        planted = Watermark()(pixels, np.random.default_rng(number))
        name = Path(row.path).with_suffix(".png").as_posix()
        for folder, marked, content in (("plain", "no", pixels), ("marked", "yes", planted.pixels)):
            path = out / folder / name
            rows.append((f"{folder}/{name}", row.label, marked))
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(content).save(path)
        where[name, "mark"] = to_grid(planted.mask)
        where[name, "box"] = _boxed(boxes.get_group(row.path), pixels.shape)
    pd.DataFrame(rows, columns=["path", "label", "marked"]).to_csv(out / "index.csv", index=False)
    return where


def _boxed(boxes: pd.DataFrame, shape: tuple[int, ...]) -> Mask:
    mask = np.zeros((GRID, GRID), bool)
    scale = GRID / np.array([shape[1], shape[0]])
    for x0, y0, x1, y1 in boxes[["x0", "y0", "x1", "y1"]].to_numpy(float):
        left, top = np.floor(scale * (x0, y0)).astype(int)
        right, bottom = np.ceil(scale * (x1, y1)).astype(int)
        mask[top:bottom, left:right] = True
    return mask
