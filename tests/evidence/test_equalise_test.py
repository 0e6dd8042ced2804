"""Equalising against a planted truth: networks that read one number of a picture, known in advance."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter
from torch import Tensor, nn

from audit.config import Config, EvidenceConfig, parse_config
from audit.cues.file_cues import file_cues
from audit.data.dataset import build, load_dataset
from audit.data.decode import squash
from audit.evidence.equalise_choice import MORE_THAN_HIDDEN, choose_evenings
from audit.evidence.equalise_test import ask_equalised, no_equalised
from audit.evidence.file_evidence import file_effect
from audit.measures.measure import Measure
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import fold_path
from audit.model.device import choose_runtime
from audit.model.network import Backbone, Origin
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder, file_digest, read_table, write_table
from audit.store.tensors import save_tensors

SIDE, PER_CLASS, FOLDS = 48, 60, 2
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def chroma(pixels: Tensor) -> Tensor:
    """How far the channels lie apart, (n, 3, h, w) of normalised pixels -> (n,)."""
    colours = pixels * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    return colours.std(1).mean((1, 2))


def slope(pixels: Tensor) -> Tensor:
    """By how much upright edges are stronger than lying ones: how far a picture was squeezed from the sides."""
    across, down = (pixels.diff(dim=dim).abs().mean((1, 2, 3)) for dim in (3, 2))
    return across - down


def top(pixels: Tensor) -> Tensor:
    """Whether the upper half is brighter than the lower: content, and nothing of the file."""
    return pixels[:, :, : SIDE // 2].mean((1, 2, 3)) - pixels[:, :, SIDE // 2 :].mean((1, 2, 3))


class Reads(nn.Module):
    """One channel: a number of the picture."""

    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read = read

    def forward(self, pixels: Tensor) -> Tensor:
        return self.read(pixels.double()).float()[:, None, None, None].expand(-1, 1, 2, 2)


def draw(root: Path, odd: Callable[[Image.Image], Image.Image], shares: tuple[float, float], per_class: int) -> Config:
    """Coloured blocks, class "a" brighter above, "b" below; ``odd`` is done to a share of "a" and another of "b"."""
    rng = np.random.default_rng(1)
    for label, share in zip("ab", shares, strict=True):
        (root / label).mkdir(parents=True)
        for number in range(per_class):
            blocks = rng.integers(40, 200, (12, 12, 3))
            blocks[slice(0, 6) if label == "a" else slice(6, 12)] += 30
            photo = Image.fromarray(blocks.astype(np.uint8)).resize((96, 96), Image.Resampling.NEAREST)
            photo = odd(photo) if number < round(share * per_class) else photo
            photo.save(root / label / f"{int(rng.integers(10**6)):07d}.png")
    return parse_config(
        {
            "dataset": {"photos": str(root)},
            "model": {"arch": "tiny", "image_size": SIDE, "fine_tune": "all"},
            "training": {"folds": FOLDS},
            "compute": {"workers": 0, "device": "cpu", "precision": "float32", "batch_size": 16},
            "evidence": {"effect_images": 10},
        }
    )


def grey(photo: Image.Image) -> Image.Image:
    return photo.convert("L").convert("RGB")


def wide(photo: Image.Image) -> Image.Image:
    """Two thirds of its height, from the middle."""
    return photo.crop((0, 16, 96, 80))


def asked(
    tmp_path: Path, config: Config, read: Callable[[Tensor], Tensor], weight: float, middle: float | None = None
) -> ActivationStore:
    """An audit whose every fold's network says sigmoid(weight * (the number read - middle)) of class "a".

    The middle is the mean, where none is given.
    """
    return put_to(listed(tmp_path, config), config, read, weight, middle)


def listed(tmp_path: Path, config: Config) -> AuditFolder:
    folder = AuditFolder(tmp_path / "audit")
    folder.path.mkdir()
    with reporting_to(Silence()):
        build(folder, config)
    return folder


def put_to(
    folder: AuditFolder, config: Config, read: Callable[[Tensor], Tensor], weight: float, middle: float | None = None
) -> ActivationStore:
    with reporting_to(Silence()):
        nothing, tail = nn.Sequential(), nn.Sequential(Reads(read))
        backbone = Backbone(nothing, tail, 1, None, Origin("", ""))
        store = ActivationStore(folder, load_dataset(folder), config, backbone, choose_runtime(config.compute))
        middle = _values(store, read).mean() if middle is None else middle
        mean = torch.tensor([middle], dtype=torch.float32)
        for fold in range(FOLDS):
            network = backbone.network("gap", 2, store.runtime)
            network.head.mean.copy_(mean)
            network.head.linear.weight.data.copy_(torch.tensor([[weight], [0.0]]))
            save_tensors(fold_path(folder, fold), network.trained_state(), {})
        write_table(folder.predictions, _predictions(store, read, weight, middle))
        ask_equalised(store)
    return store


def _values(store: ActivationStore, read: Callable[[Tensor], Tensor]) -> np.ndarray:
    return np.array([answer(pixels_of(store, image), read) for image in range(len(store.dataset.images))])


def pixels_of(store: ActivationStore, image: int) -> np.ndarray:
    with Image.open(store.dataset.file_of(image).path) as photo:
        return squash(photo.convert("RGB"), SIDE)


def answer(pixels: np.ndarray, read: Callable[[Tensor], Tensor]) -> float:
    normalised = (torch.from_numpy(pixels).permute(2, 0, 1).double() / 255 - torch.tensor(MEAN)[:, None, None]) / (
        torch.tensor(STD)[:, None, None]
    )
    return float(read(normalised[None])[0])


def _predictions(
    store: ActivationStore, read: Callable[[Tensor], Tensor], weight: float, middle: float
) -> pd.DataFrame:
    values = _values(store, read)
    p = 1 / (1 + np.exp(-weight * (values - middle)))
    return pd.DataFrame({"probabilities": list(np.stack([p, 1 - p], 1)), "image": np.arange(len(p))})


def measured(store: ActivationStore, name: str, label: str) -> Measure:
    table = read_table(store.folder.equalised)
    cue = next(fact.cue for fact in file_cues(store.dataset.images) if fact.cue.name == name)
    rows = table[(table["cue"] == name) & (table["class"] == label)]
    return file_effect(cue, rows, store.dataset, EvidenceConfig(), np.random.default_rng(0))


def test_a_network_that_reads_grey_loses_what_a_loop_says(tmp_path):
    """Class "b" is mostly grey: coloured photographs of either class are made grey, and twice as colourful."""
    weight, config = 80.0, draw(tmp_path / "photos", grey, (0.2, 0.8), PER_CLASS)
    store = asked(tmp_path, config, chroma, weight)
    effect, table = measured(store, "file.colour=grey", "b"), read_table(store.folder.equalised)
    rows = table[table["cue"] == "file.colour=grey"]
    assert set(rows["way"]) == {"given"} and len(rows) == 2 * PER_CLASS // 5 and effect.n == len(rows)
    assert (store.dataset.labels[rows["image"]] == 0).mean() == 0.5
    middle, drops = _values(store, chroma).mean(), []
    for image in rows["image"]:
        before = pixels_of(store, image).astype(float)
        luma = np.asarray(Image.fromarray(before.astype(np.uint8)).convert("L"), float)[..., None].repeat(3, 2)
        twice = np.clip(2 * before - luma, 0, 255)
        p_luma, p_twice = (
            1 / (1 + np.exp(-weight * (answer(view.astype(np.uint8), chroma) - middle))) for view in (luma, twice)
        )
        drops.append(p_twice - p_luma)
    assert effect.value == pytest.approx(np.mean(drops), abs=0.02)
    assert effect.value > 0.5 and effect.low > 0.4 and effect.p < 0.01 and effect.extra["evened_out"] == "given"


@pytest.mark.parametrize(("odd", "name"), [(grey, "file.colour=grey"), (wide, "file.aspect_ratio")])
def test_a_network_that_reads_only_the_content_loses_nothing(tmp_path, odd, name):
    store = asked(tmp_path, draw(tmp_path / "photos", odd, (0.8, 0.2), PER_CLASS), top, 3.0)
    effect = measured(store, name, "a")
    assert abs(effect.value) < 0.05 and effect.high < 0.1 and effect.p > 0.05


def test_a_network_that_reads_the_shape_is_told_also_where_every_photograph_has_it(tmp_path):
    """With no photograph that goes against it there is no gap: this is the only sign of use."""
    store = asked(tmp_path, draw(tmp_path / "photos", wide, (1.0, 0.0), PER_CLASS), slope, 15.0)
    effect = measured(store, "file.aspect_ratio", "a")
    assert effect.value > 0.3 and effect.low > 0.1 and effect.p < 0.01 and effect.extra["evened_out"] == "taken"
    table = read_table(store.folder.equalised)
    assert set(store.dataset.labels[table.loc[table["cue"] == "file.aspect_ratio", "image"]]) == {0}


def blurred(photo: Image.Image) -> Image.Image:
    return photo.filter(ImageFilter.GaussianBlur(3))


def test_what_a_change_destroys_cancels(tmp_path):
    """A network that tells the class by the content, the surer the clearer the edges, does not read the sharpness."""

    def clear_content(pixels: Tensor) -> Tensor:
        return top(pixels) * pixels.diff(dim=3).abs().mean((1, 2, 3))

    store = asked(tmp_path, draw(tmp_path / "photos", blurred, (0.2, 0.8), PER_CLASS), clear_content, 12.0, 0.0)
    effect, table = measured(store, "file.sharpness", "a"), read_table(store.folder.equalised)
    rows = table[(table["cue"] == "file.sharpness") & (store.dataset.labels[table["image"]] == 0)]
    assert (rows["p_control"] - rows["p_equalised"]).mean() > 0.1
    assert abs(effect.value) < 0.1 and effect.low < 0 < effect.high and effect.p > 0.05


def test_nothing_is_asked_where_nothing_leans(tmp_path):
    even = asked(tmp_path, draw(tmp_path / "photos", grey, (0.5, 0.5), PER_CLASS), chroma, 20.0)
    table = read_table(even.folder.equalised)
    assert "file.colour=grey" not in set(table["cue"]) and list(table) == list(no_equalised())
    told = measured(even, "file.colour=grey", "a")
    assert told.value is None and "too little" in told.reason


def test_an_interrupted_run_asks_only_what_is_missing(tmp_path):
    store = asked(tmp_path, draw(tmp_path / "photos", grey, (0.2, 0.8), PER_CLASS), chroma, 80.0)
    first, table = sorted((store.folder / "equalising").glob("*")), read_table(store.folder.equalised)
    assert {path.name[0] for path in first} == {"1", "2"}
    untouched, digest = first[0], file_digest(first[0])
    stamp = untouched.stat().st_mtime_ns
    first[-1].unlink()
    with reporting_to(Silence()):
        ask_equalised(store)
    assert read_table(store.folder.equalised).equals(table)
    assert (file_digest(untouched), untouched.stat().st_mtime_ns) == (digest, stamp)


def test_p_is_no_smaller_than_chance_allows_for_networks_that_read_at_random(tmp_path):
    """Forty networks that read the light of random places: whether grey or twice as colourful, that is content."""
    config = draw(tmp_path / "photos", grey, (0.2, 0.8), 30)
    folder, p = listed(tmp_path, config), []
    for seed in range(40):
        weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 3, SIDE, SIDE)))
        weights -= weights.mean((1, 2, 3), keepdim=True)
        store = put_to(folder, config, lambda pixels, w=weights: (pixels * w).sum((1, 2, 3)) / 50, 1.0)
        p.append(measured(store, "file.colour=grey", "b").p)
    assert np.mean(np.array(p) < 0.05) <= 0.125 and np.mean(np.array(p) < 0.5) > 0.3


def test_photographs_of_one_group_are_asked_about_once(tmp_path):
    config = draw(tmp_path / "photos", grey, (0.2, 0.8), PER_CLASS)
    dataset = load_dataset(listed(tmp_path, config))
    paired = replace(dataset, images=dataset.images.assign(group=np.arange(len(dataset.images)) // 4))
    chosen = choose_evenings(paired, 0, 10, 5)
    groups = paired.groups[chosen.loc[chosen["cue"] == "file.colour=grey", "image"]]
    assert 5 <= len(groups) <= MORE_THAN_HIDDEN * 10 and len(set(groups)) == len(groups)
