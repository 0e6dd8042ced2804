"""Does the map of a fine-tuned network point at the animal? Boxes and pointing game on photographs with known boxes.

    python -m tests.bench.pointing --data ../shared/data

Fine-tunes conv5 with cross-fitting on raccoon-kangaroo, takes every photograph's map from the fold that did not train
on it, and scores it against the animals' boxes as the paper does (sections 4.1 and 4.3): box around the largest area
above 15 % of the maximum, overlap with the best of the boxes; maximum of the map on any of them. Beside it the same
for captum's LayerGradCam on the same networks (``pip install -e .[bench]``).
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor

from audit.cam.localisation import Box, box_overlap, find_box, pointing_game
from audit.config import Config, parse_config
from audit.data.batches import read_batches
from audit.explain.read_maps import read_maps
from audit.measures.intervals import wilson
from audit.model.activation_store import ActivationStore
from audit.model.cross_fit import load_fold
from audit.stages import STAGES, run_stage
from audit.store.audit_folder import AuditFolder, read_table
from tests.bench.figures import Cell, Column, add_option, save, table_lines

GOOD_OVERLAP = 0.5
NEEDED = ("dataset", "detect", "features", "training", "explain")


def main() -> None:
    """Read the command line and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds raccoon-kangaroo/")
    parser.add_argument("--keep", type=Path, help="keep the audit in this folder, and go on with it next time")
    add_option(parser)
    options = parser.parse_args()
    root = options.data / "raccoon-kangaroo"
    with tempfile.TemporaryDirectory() as place:
        folder = AuditFolder(options.keep or Path(place) / "audit")
        config = settings(root)
        for stage in STAGES:
            if stage.name in NEEDED:
                run_stage(stage, folder, config)
        rows = list(report(folder, config, pd.read_csv(root / "boxes.csv")))
        print(*table_lines(COLUMNS, rows), sep="\n")
        save(options.figures, "pointing", COLUMNS, rows)


COLUMNS = (Column("figure"), Column("value", ".3f"))


def settings(root: Path) -> Config:
    """The defaults, without looking for cues."""
    dataset = {"manifest": str(root / "index.csv"), "image_root": str(root)}
    return parse_config({"dataset": dataset, "cues": []})


def report(folder: AuditFolder, config: Config, boxes: pd.DataFrame) -> Iterator[tuple[str, Cell]]:
    """Accuracy, and both scores for both kinds of map, over all photographs and over the rightly named."""
    store, predictions = ActivationStore.open(folder, config), read_table(folder.predictions)
    images = np.arange(len(predictions))
    right = predictions["correct"].to_numpy(bool)
    ours = torch.from_numpy(read_maps(folder, images))
    theirs = captum_maps(store)
    alike = torch.cosine_similarity(ours.flatten(1), theirs.flatten(1))
    yield "accuracy", _share(right)
    yield "cosine of ours with captum's maps, least", f"{alike.min():.4f}"
    yield "cosine of ours with captum's maps, mean", f"{alike.mean():.4f}"
    table = store.dataset.images
    places = [boxes.loc[boxes["path"] == path, ["x0", "y0", "x1", "y1"]].to_numpy() for path in table["path"]]
    sizes = table[["height", "width"]].to_numpy()
    for name, maps in (("ours", ours), ("captum", theirs)):
        hits = np.array([points_at(*one) for one in zip(maps, places, sizes, strict=True)])
        overlaps = np.array([overlap(*one) for one in zip(maps, places, sizes, strict=True)])
        good = overlaps >= GOOD_OVERLAP
        told = {"the map's maximum lies on an animal": hits, f"overlap of {GOOD_OVERLAP} or more": good}
        for words, held in told.items():
            yield f"{name}: {words}", _share(held)
            yield f"{name}: {words}, of the rightly named", _share(held[right])
        yield f"{name}: mean overlap", float(overlaps.mean())


def captum_maps(store: ActivationStore) -> Tensor:
    """Maps (n, h, w) of every photograph's label by the network of its fold."""
    dataset, maps = store.dataset, {}
    for fold in range(store.config.training.folds):
        network = load_fold(store, fold).float()
        captum = LayerGradCam(network, network.tail if len(network.tail) else network.trunk)
        for images, inputs in _inputs(store, np.flatnonzero(dataset.folds == fold)):
            found = captum.attribute(inputs.requires_grad_(), target=torch.from_numpy(dataset.labels[images]))
            maps.update(zip(images.tolist(), found.detach()[:, 0], strict=True))
    return torch.stack([maps[image] for image in range(len(dataset.images))])


def points_at(saliency: Tensor, boxes: NDArray[np.float64], size: NDArray[np.int64]) -> bool:
    """Whether the map's maximum lies in one of the boxes (k, 4) of a picture of that (height, width)."""
    mask = torch.zeros(1, 1, *size.tolist(), dtype=torch.bool)
    for x0, y0, x1, y1 in boxes.round().astype(int):
        mask[:, :, y0:y1, x0:x1] = True
    return pointing_game(saliency[None, None], mask).hits == 1


def overlap(saliency: Tensor, boxes: NDArray[np.float64], size: NDArray[np.int64]) -> float:
    """Overlap of the map's box with the best of the boxes; 0 for a map without one."""
    height, width = size.tolist()
    found = find_box(saliency, (height, width))
    return 0.0 if found is None else max(box_overlap(found, _whole(box)) for box in boxes)


def _whole(box: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = box.round().astype(int).tolist()
    return x0, y0, x1, y1


def _inputs(store: ActivationStore, images: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    for batch, pixels in read_batches(store.dataset, images, store.config, 8):
        yield np.asarray(batch, np.int64), store.runtime.normalise(pixels)


def _share(hits: NDArray[np.bool_]) -> Cell:
    low, high = wilson(int(hits.sum()), len(hits))
    return {"value": float(hits.mean()), "low": low, "high": high, "words": f", n = {len(hits)}"}


if __name__ == "__main__":
    main()
