"""What is on top of a head: probabilities of a hat, of baldness, of a fringe and of hair colours, by linear models.

The weights were fitted on every other photograph of a set of labelled faces, on every other one of doctors and nurses
looked through by eye, and, for red hair, on the reddest of both.
"""

from collections.abc import Mapping

import numpy as np

from audit.attributes.people.hair_tones import hair_tones
from audit.attributes.people.head_cells import top_cells
from audit.attributes.people.head_crop import coordinates, head_crop
from audit.attributes.people.linear import read_models
from audit.detectors.photo import Photo, shared

_LEAST_SEEN = 0.5


@shared
def top_probabilities(photo: Photo) -> Mapping[str, float] | None:
    """Of every attribute of the file of weights; None where no face is found or the top of the head is cut off."""
    if not _top_is_seen(photo):
        return None
    tones, cells = hair_tones(photo), top_cells(photo)
    assert tones is not None and cells is not None
    numbers = np.concatenate((tones, cells))
    return {name: model.probability(numbers) for name, model in read_models("head_top").items()}


def _top_is_seen(photo: Photo) -> bool:
    crop = head_crop(photo)
    if crop is None:
        return False
    u, v = coordinates()
    return float(crop.inside[(np.abs(u) < 0.5) & (v > -0.75) & (v < -0.4)].mean()) >= _LEAST_SEEN
