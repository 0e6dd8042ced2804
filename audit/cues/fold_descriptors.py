"""What a cluster looks like to images that had no part in it: its mean descriptors without each fold."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FoldDescriptors:
    """The regions of a cluster as it is found without each of K folds.

    ``descriptors`` (r, C) are the regions', ``groups`` (r,) the duplicate groups of their images; ``inside`` (r, K)
    tells which belong to the cluster without each fold, none of that fold among them.
    """

    descriptors: NDArray[np.float32]
    groups: NDArray[np.integer]
    inside: NDArray[np.bool_]

    def strange_to(self, groups: NDArray[np.integer]) -> NDArray[np.float32]:
        """The mean descriptors without each fold that images of some duplicate groups (n,) have no part in, (n, K, C).

        Left out are the fold's regions and those of the image and its copies, so that a member is no more alike by its
        own doing than a stranger. Where nothing would be left, theirs stay.
        """
        sums, counts = self.inside.T.astype(np.float64) @ self.descriptors, self.inside.sum(0)
        means = np.empty((len(groups), *sums.shape), np.float32)
        for row, group in enumerate(groups):
            own = self.groups == group
            left = counts - self.inside[own].sum(0)
            rest = sums - self.inside[own].T.astype(np.float64) @ self.descriptors[own]
            enough = (left > 0)[:, None]
            means[row] = np.where(enough, rest, sums) / np.where(enough, left[:, None], counts[:, None])
        return means

    def members(self, groups: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether the cluster without each fold has a region of an image of these duplicate groups (n,), (n, K)."""
        return np.stack([np.isin(groups, self.groups[column]) for column in self.inside.T], axis=1)

    def digest(self) -> str:
        """SHA-256 of all that the means depend on."""
        parts = (self.descriptors, self.groups.astype(np.int64), self.inside)
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
