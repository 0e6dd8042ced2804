"""Words for crops: TensorFlow's padding against a plain sum, the vote, and silence where no weights were fetched."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from audit.config import model_folder
from audit.explain.imagenet_words import (
    EfficientNetLite0,
    Resemblance,
    _SameConv,
    _top_words,
    _vote,
    load,
    resemblances,
)
from audit.store.model_files import IMAGENET_WORDS

_SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "imagenet-sample"


@pytest.mark.parametrize(("side", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (9, 5, 2), (6, 5, 1), (5, 1, 1)])
def test_same_padding_is_tensorflows(side, kernel, stride):
    """Output i sums the window that begins at i * stride - floor(total / 2), zeros outside."""
    layer = _SameConv(1, 1, kernel, stride)
    torch.nn.init.ones_(layer.weight)
    plane = np.random.default_rng(0).normal(size=(side, side))
    count = -(-side // stride)
    total = max(0, (count - 1) * stride + kernel - side)
    wide = np.zeros((side + total, side + total))
    before = total // 2
    wide[before : before + side, before : before + side] = plane
    expected = [
        [wide[y * stride : y * stride + kernel, x * stride : x * stride + kernel].sum() for x in range(count)]
        for y in range(count)
    ]
    with torch.no_grad():
        ours = layer(torch.from_numpy(plane).float()[None, None])[0, 0].numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_words_need_a_third_of_the_crops():
    rows = [["lab coat", "a", "b"], ["lab coat", "c", "d"], ["e", "lab coat", "f"], ["g", "h", "i"], ["c", "j", "k"]]
    assert _vote(rows, 5) == [Resemblance("lab coat", 3, 5), Resemblance("c", 2, 5)]
    assert _vote([["x", "y", "z"]], 1) == [] and _vote([], 0) == []


def test_no_weights_no_words(tmp_path):
    assert resemblances(tmp_path, [np.zeros((224, 224, 3), np.uint8)]) == []


def test_three_words_a_crop():
    torch.manual_seed(0)
    words = _top_words(EfficientNetLite0().eval(), [np.zeros((224, 224, 3), np.uint8)] * 2)
    assert [len(set(row)) for row in words] == [3, 3]


@pytest.mark.skipif(
    not (model_folder() / IMAGENET_WORDS.name).exists(), reason="`bias-audit fetch --words` was not run"
)
@pytest.mark.skipif(not _SAMPLE.is_dir(), reason="the development photographs are not on this machine")
def test_the_fetched_network_knows_its_classes():
    with (_SAMPLE / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::10]
    crops = [np.asarray(Image.open(_SAMPLE / row["path"]).convert("RGB").resize((224, 224))) for row in rows]
    words = _top_words(load(model_folder()), crops)
    hits = [
        row["label"].lower().replace("_", " ") in map(str.lower, some) for row, some in zip(rows, words, strict=True)
    ]
    assert np.mean(hits) > 0.8
