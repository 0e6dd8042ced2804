"""Look-alikes: Otsu's threshold against brute force, and the area around a peak."""

import numpy as np
import pytest
import torch

from audit.config import parse_config
from audit.cues.cluster_cues import LookAlike, LookAlikeFinder, around_peak, is_own_cue
from audit.detectors.cue import GRID, Cue
from audit.explain.explain_json import Cluster
from audit.model.activation_store import ActivationStore
from audit.model.device import Runtime
from audit.model.network import Backbone, Origin
from audit.store.audit_folder import AuditFolder


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


def make_finder(place: np.ndarray | None) -> LookAlikeFinder:
    """Looks for activations along the second channel, in a network that hands its input on."""
    nothing = torch.nn.Sequential()
    backbone = Backbone(nothing, nothing, 2, None, Origin("", ""))
    runtime = Runtime(torch.device("cpu"), "float32")
    store = ActivationStore(AuditFolder, None, parse_config({}), backbone, runtime)
    cue = Cue("cluster 1", "x", "scene", "cluster")
    return LookAlikeFinder(store, [LookAlike(cue, 0, np.array([0, 3], np.float32), place)], np.zeros(2, np.float32))


def activations(row: int, column: int) -> torch.Tensor:
    """(1, 2, 8, 8): the first channel everywhere, the second one in a 3 x 3 block around a place."""
    planted = torch.zeros(1, 2, 8, 8)
    planted[:, 0] = 1
    planted[0, :, row - 1 : row + 2, column - 1 : column + 2] = torch.tensor([0.0, 5.0])[:, None, None]
    return planted


@pytest.mark.parametrize(("row", "column"), [(2, 2), (5, 1), (6, 6)])
def test_finds_the_planted_place_wherever_it_is(row, column):
    found = make_finder(None).batch(np.array([3]), activations(row, column))
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
    finder = make_finder(place)
    there, elsewhere = (finder.batch(np.array([3]), activations(*at)) for at in ((2, 2), (6, 6)))
    assert float(there["score"]) == pytest.approx(1.0) and float(elsewhere["score"]) == pytest.approx(0.0, abs=1e-6)
    assert torch.equal(there["masks"], elsewhere["masks"])
    assert there["inside"][0, 0].tolist() == [0, 5] and elsewhere["inside"][0, 0].tolist() == [1, 0]
