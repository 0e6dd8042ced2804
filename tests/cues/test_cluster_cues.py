"""Look-alikes: each image is searched for what the images of other folds made of a cluster."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, cosine_similarity

from audit.config import parse_config
from audit.cues.cluster_cues import LookAlike, LookAlikeFinder, around_peak, is_own_cue, read_look_alikes
from audit.cues.cue_table import load_cues
from audit.cues.fold_descriptors import FoldDescriptors
from audit.data.dataset import load_dataset
from audit.detectors.cue import GRID, Cue
from audit.explain.clusters import load_clusters
from audit.explain.explain_json import Cluster
from audit.explain.region_table import read_descriptors
from audit.measures.prevalence import prevalence
from audit.model.activation_store import ActivationStore
from audit.model.device import Runtime
from audit.model.network import Backbone, Origin
from audit.store.audit_folder import AuditFolder, read_table
from tests.planted import draw_dataset, run_audit, tiny_config


def test_the_area_around_the_peak_is_connected_and_near_the_maximum():
    likeness = np.zeros((6, 6), np.float32)
    likeness[1, 1], likeness[2, 2], likeness[2, 3] = 1.0, 0.86, 0.84
    likeness[5, 5] = 0.99
    assert np.argwhere(around_peak(likeness)).tolist() == [[1, 1], [2, 2]]


def test_a_peak_below_zero_has_an_area_as_well():
    likeness = np.full((3, 3), -0.9, np.float32)
    likeness[0, 0], likeness[0, 1] = -0.5, -0.56
    assert np.argwhere(around_peak(likeness)).tolist() == [[0, 0], [0, 1]]


def cluster(**changes: object) -> Cluster[int]:
    plain = {"cluster": 0, "n": 40, "name": None, "words": "unnamed", "name_share": None, "stability": 0.9}
    rest = {"fixed_position": False, "on_subject": False, "per_class": {}, "exemplars": (), "box": (0.0, 0.0, 1.0, 1.0)}
    return Cluster[int](**{**plain, **rest, **changes})


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, True),
        ({"name": "background"}, True),
        ({"name": "face"}, False),
        ({"name": None, "fixed_position": True}, True),
        ({"n": 9}, False),
        ({"n": 10, "stability": 0.5}, True),
        ({"stability": 0.49}, False),
    ],
)
def test_which_clusters_are_cues(changes, own):
    assert is_own_cue(cluster(**changes)) is own


def make_finder(descriptors: np.ndarray, places: np.ndarray | None, folds: np.ndarray) -> LookAlikeFinder:
    """Searches images of K folds for the descriptors (K, 2), in a network that hands its input on."""
    nothing = torch.nn.Sequential()
    backbone = Backbone(nothing, nothing, 2, None, Origin("", ""))
    runtime = Runtime(torch.device("cpu"), "float32")
    dataset = SimpleNamespace(folds=folds, groups=np.arange(len(folds)))
    store = ActivationStore(AuditFolder, dataset, parse_config({}), backbone, runtime)
    made_of = FoldDescriptors(descriptors.astype(np.float32), -1 - np.arange(len(descriptors)), np.eye(2, dtype=bool))
    sought = LookAlike(Cue("cluster 1", "x", "scene", "cluster"), made_of, places)
    return LookAlikeFinder(store, [sought], np.zeros(2, np.float32))


SECOND = np.array([[0, 3], [0, 3]])


def activations(row: int, column: int) -> torch.Tensor:
    """(1, 2, 8, 8): the first channel everywhere, the second one in a 3 x 3 block around a place."""
    planted = torch.zeros(1, 2, 8, 8)
    planted[:, 0] = 1
    planted[0, :, row - 1 : row + 2, column - 1 : column + 2] = torch.tensor([0.0, 5.0])[:, None, None]
    return planted


@pytest.mark.parametrize(("row", "column"), [(2, 2), (5, 1), (6, 6)])
def test_finds_the_planted_place_wherever_it_is(row, column):
    found = make_finder(SECOND, None, np.zeros(4, int)).batch(np.array([3]), activations(row, column))
    assert float(found["score"][0, 0]) == pytest.approx(1.0)
    mask = np.unpackbits(found["masks"][0, 0].numpy()).reshape(GRID, GRID).astype(bool)
    planted, around = np.zeros((2, GRID, GRID), bool)
    planted[(row - 1) * 7 : (row + 2) * 7, (column - 1) * 7 : (column + 2) * 7] = True
    around[max(row - 2, 0) * 7 : (row + 3) * 7, max(column - 2, 0) * 7 : (column + 3) * 7] = True
    assert mask[planted].all() and not mask[~around].any()
    inside, rest = found["inside"][0, 0].numpy(), found["rest"][0, 0].numpy()
    assert inside[1] > 5 * rest[1]
    control = found["control"][0, 0].numpy()
    assert control[0] > 0 and control[1] < 0.1 * inside[1]


def test_a_fixed_place_is_looked_at_alone():
    place = np.zeros((8, 8), bool)
    place[1:4, 1:4] = True
    finder = make_finder(SECOND, np.stack([place, place]), np.zeros(4, int))
    there, elsewhere = (finder.batch(np.array([3]), activations(*at)) for at in ((2, 2), (6, 6)))
    assert float(there["score"]) == pytest.approx(1.0) and float(elsewhere["score"]) == pytest.approx(0.0, abs=1e-6)
    assert torch.equal(there["masks"], elsewhere["masks"])
    assert there["inside"][0, 0].tolist() == [0, 5] and elsewhere["inside"][0, 0].tolist() == [1, 0]


def test_every_image_is_searched_for_what_the_other_folds_made():
    """The first fold is searched along the second channel, the second along the first, each in a place of its own."""
    places = np.zeros((2, 8, 8), bool)
    places[0, 1:4, 1:4] = places[1, 5:8, 5:8] = True
    images, planted = np.array([1, 0]), torch.cat([activations(2, 2), activations(2, 2)])
    for where in (None, places):
        finder = make_finder(np.array([[0, 3], [3, 0]]), where, np.array([0, 1]))
        found = finder.batch(images, planted)
        assert found["score"][:, 0].tolist() == pytest.approx([1.0, 1.0])
        masks = np.unpackbits(found["masks"][:, 0].numpy(), axis=1).reshape(2, GRID, GRID).astype(bool)
        assert masks[1, 14:21, 14:21].all() and not masks[0, 14:21, 14:21].any()
    alike = make_finder(SECOND, places, np.array([0, 1])).batch(images, planted)
    assert alike["likeness"][:, 0].numpy() == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0]]), abs=1e-6)
    assert alike["score"][:, 0].tolist() == pytest.approx([0.0, 1.0], abs=1e-6)
    swapped = make_finder(np.array([[3, 0], [0, 3]]), places, np.array([0, 1])).batch(images, planted)
    assert max(swapped["score"][:, 0].tolist()) < 0.01


@pytest.fixture(scope="module")
def stickers(tmp_path_factory) -> AuditFolder:
    """An audit of pictures with a sticker in nine of ten of one class and one of ten of the other."""
    manifest = draw_dataset(tmp_path_factory.mktemp("photos"), per_class=40)
    return run_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest), until="cues")


def test_the_score_of_an_image_is_its_likeness_to_regions_of_other_folds(stickers):
    """By loops over the tables and the network's own activations."""
    config = tiny_config(Path(load_dataset(stickers).root) / "images.csv")
    store = ActivationStore.open(stickers, config)
    trunks = torch.cat([trunk for _, trunk in store.batches(np.arange(len(store.dataset.images)), 16)])
    with torch.no_grad():
        layers = store.backbone.tail(trunks).float()
    regions, clusters = read_table(stickers.regions), read_table(stickers.clusters)
    descriptors = read_descriptors(stickers, regions)
    cues = [cue for cue in load_cues(stickers).cues if cue.kind == "cluster"]
    scores = read_look_alikes(stickers / "look-alikes", "score")
    fixed = {entry.cluster for entry in load_clusters(stickers) if entry.fixed_position}
    free = [(index, cue.number) for index, cue in enumerate(cues) if cue.number not in fixed]
    assert cues and not (clusters.loc[store.dataset.folds[regions["image"]] == 0, "without_fold_0"] >= 0).any()
    for index, number in free:
        for image in (0, 17, 60):
            own = clusters[f"without_fold_{store.dataset.folds[image]}"] == number
            assert not own[regions["image"] == image].any()
            target = torch.from_numpy(descriptors[own.to_numpy()].mean(0)) - layers.mean((0, 2, 3))
            smooth = avg_pool2d(layers[image], 3, 1, 1, count_include_pad=False)
            likeness = [
                float(cosine_similarity(smooth[:, y, x] - layers.mean((0, 2, 3)), target, 0))
                for y in range(smooth.shape[1])
                for x in range(smooth.shape[2])
            ]
            assert scores[image, index] == pytest.approx(max(likeness), abs=1e-3)


def test_a_planted_cluster_that_leans_still_leans_and_takes_in_next_to_nothing_else(stickers):
    table, dataset = load_cues(stickers), load_dataset(stickers)
    sticker = (dataset.images["attribute:sticker"] == "yes").to_numpy()
    shown = [table.present(cue) for cue in table.cues if cue.kind == "cluster"]
    on_sticker = max(shown, key=lambda present: present[sticker].mean() - present[~sticker].mean())
    assert on_sticker[sticker].mean() > 0.6 and on_sticker[~sticker].mean() < 0.05
    disc = dataset.labels == 0
    assert prevalence(on_sticker, disc, dataset.groups, 0).p < 0.01
