"""Fitting one network: balanced classes, weighted images, flips, early stopping, and a checkpoint after every epoch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from audit.config import Config
from audit.data.batches import Images
from audit.errors import StageError
from audit.model.device import Runtime
from audit.model.network import Network
from audit.store.shards import Shard, ShardStore
from audit.store.tensors import load_tensors, only_prefix, optimizer_tensors, restore_optimizer

_DIVERGED = (
    "The training diverged: its loss is no longer a finite number; "
    "lower training.head_learning_rate and training.tail_learning_rate."
)


Tensors = dict[str, Tensor]


class Inputs(Protocol):
    """Source of the tail's inputs, for any images."""

    def batches(
        self, images: Images, size: int, flipped: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Images, Tensor]]:
        """Yield (images, inputs (n, C, h, w)), at most ``size`` at a time, mirrored where ``flipped`` says so."""


@dataclass(frozen=True)
class PooledInputs:
    """Activations (n, C) that are pooled already: all that a global-average-pool head on a frozen trunk needs."""

    pooled: NDArray[np.float32]
    runtime: Runtime

    def batches(
        self, images: Images, size: int, flipped: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Images, Tensor]]:
        """Yield (images, (n, C, 1, 1)) in the order given; flips do not apply to pooled activations."""
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            yield batch, self.runtime.to_device(self.pooled[batch])[:, :, None, None]


@dataclass(frozen=True)
class Split:
    """Images that the weights are fitted on, and those that decide when to stop."""

    fit: Images
    validation: Images

    def counting(self, weights: NDArray[np.floating] | None) -> "Split":
        """The same without the images whose weight (n,) is 0."""
        if weights is None:
            return self
        return Split(self.fit[weights[self.fit] > 0], self.validation[weights[self.validation] > 0])


@dataclass(frozen=True)
class Epoch:
    """One pass; losses are class-balanced cross-entropies in nats, accuracies are shares."""

    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Checkpoint:
    """Where an unfinished fitting is kept after every epoch."""

    store: ShardStore
    shard: Shard

    def save(self, network: Tensors, best: Tensors, optimizer: Tensors, history: Sequence[Epoch]) -> None:
        """Keep the state of the network, the best one so far, the optimizer's, and the epochs until now."""
        parts = {"network.": network, "best.": best, "optimizer.": optimizer}
        tensors = {prefix + name: value for prefix, part in parts.items() for name, value in part.items()}
        self.store.write(self.shard, tensors, history=[asdict(epoch) for epoch in history])

    def load(self) -> tuple[Tensors, Tensors, Tensors, list[Epoch]] | None:
        """What ``save`` kept; None where there is nothing of this fitting.

        Raises AuditFolderError when the file is damaged.
        """
        if not self.store.holds(self.shard):
            return None
        tensors, header = load_tensors(self.store.path(self.shard))
        network, best, optimizer = (only_prefix(prefix, tensors) for prefix in ("network.", "best.", "optimizer."))
        return network, best, optimizer, [Epoch(**epoch) for epoch in header["history"]]


@dataclass
class Fitting:
    """The fitting of one network, resumable from ``checkpoint`` (None: not kept).

    ``weights`` (n,), above 0 for the images of the split, say how often each image counts (None: once). An epoch shows
    an image as often as its weight says (``draw``) rather than multiplying its loss: a network that fits every image
    ends up the same whatever the losses were multiplied by (Byrd & Lipton 2019), and of repeated images half come
    mirrored. The validation loss is multiplied, since nothing is learned there. The classes are balanced by their
    weighted counts, so that weights which even them out already are left alone.
    """

    network: Network
    inputs: Inputs
    split: Split
    labels: NDArray[np.int64]
    config: Config
    runtime: Runtime
    seed: int
    checkpoint: Checkpoint | None = None
    weights: NDArray[np.floating] | None = None
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = self.config.training
        self.once = np.ones(len(self.labels))
        self.counted = self.once if self.weights is None else np.asarray(self.weights, np.float64)
        fit = self.split.fit
        counts = np.bincount(self.labels[fit], self.counted[fit], minlength=self.labels.max() + 1)
        balance = counts.sum() / (len(counts) * np.where(counts > 0, counts, 1))
        self.balance = self.runtime.to_device(balance.astype(np.float32))
        groups = [
            {"params": list(self.network.head.parameters()), "lr": settings.head_learning_rate},
            {"params": list(self.network.tail.parameters()), "lr": settings.tail_learning_rate},
        ]
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], weight_decay=settings.weight_decay
        )

    def run(self, advance: Callable[[int], None]) -> list[Epoch]:
        """Fit until the validation loss has not fallen for ``training.patience`` epochs. Returns every epoch.

        The network ends with the weights of the epoch whose validation loss was lowest. Raises StageError when the loss
        is no longer a finite number.
        """
        self._resume()
        advance(len(self.history))
        while not self._finished():
            fitted = self._fit_epoch(len(self.history))
            validated = self._evaluate(self.split.validation)
            if not np.isfinite([fitted[0], validated[0]]).all():
                raise StageError(_DIVERGED)
            self.history.append(Epoch(*fitted, *validated))
            if self._best_epoch() == len(self.history) - 1:
                self.best = {key: value.clone() for key, value in self.network.trained_state().items()}
            self._save()
            advance(1)
        self.network.load_trained_state(self.best)
        return self.history

    def _best_epoch(self) -> int:
        return int(np.argmin([epoch.validation_loss for epoch in self.history]))

    def _finished(self) -> bool:
        if not self.history:
            return False
        stale = len(self.history) - 1 - self._best_epoch()
        return len(self.history) >= self.config.training.epochs or stale >= self.config.training.patience

    def _fit_epoch(self, epoch: int) -> tuple[float, float]:
        rng = np.random.default_rng((self.seed, epoch))
        torch.manual_seed(int(rng.integers(2**31)))  # dropout of an fc head
        images = self.split.fit
        if self.weights is not None:
            images = draw(images, self.counted, np.random.default_rng((self.seed, epoch, 1)))
        images = rng.permutation(images)
        flipped = rng.random(len(images)) < (0.5 if self._flips() else 0.0)
        self.network.tail.train()
        self.network.head.train()
        return self._pass(images, flipped, self.once, self._step)

    def _flips(self) -> bool:
        return self.config.training.flips and self.config.model.fine_tune != "head"

    def _step(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()

    def _evaluate(self, images: Images) -> tuple[float, float]:
        self.network.eval()
        with torch.no_grad():
            return self._pass(images, None, self.counted, lambda loss: None)

    def _pass(
        self,
        images: Images,
        flipped: NDArray[np.bool_] | None,
        counted: NDArray[np.float64],
        step: Callable[[Tensor], None],
    ) -> tuple[float, float]:
        """Loss and accuracy over some images, image i counting ``counted[i]`` times."""
        total, weight, correct = 0.0, 0.0, 0.0
        for batch, tensor in self.inputs.batches(images, self.config.training.batch_size, flipped):
            labels = self.runtime.to_device(self.labels[batch])
            times = self.runtime.to_device(counted[batch].astype(np.float32))
            with self.runtime.autocast():
                activations = self.network.tail(tensor)
            scores = self.network.head(activations.float())
            weights = self.balance[labels] * times
            loss = (weights * cross_entropy(scores, labels, reduction="none")).sum() / weights.sum()
            step(loss)
            # A batch's loss is divided by the weight of its own images, which differs where classes come in blocks.
            of_batch = float(weights.sum())
            total, weight = total + float(loss.detach()) * of_batch, weight + of_batch
            correct += float((times * (scores.argmax(1) == labels)).sum())
        return total / weight, correct / float(counted[images].sum())

    def _save(self) -> None:
        if self.checkpoint is not None:
            optimizer = optimizer_tensors(self.optimizer)
            self.checkpoint.save(self.network.trained_state(), self.best, optimizer, self.history)

    def _resume(self) -> None:
        if self.checkpoint is None or (state := self.checkpoint.load()) is None:
            return
        network, self.best, optimizer, self.history = state
        self.network.load_trained_state(network)
        restore_optimizer(self.optimizer, optimizer)


def draw(images: Images, weights: NDArray[np.floating], rng: np.random.Generator) -> Images:
    """Images in ascending order, image i about ``weights[i]`` times: systematic sampling (Madow 1949).

    As many are drawn as their weights sum up to, rounded. None comes more than once more or less often than its share
    of them, so weights of 1 give every image once.

    >>> draw(np.arange(4), np.array([1.0, 0.0, 2.0, 1.0]), np.random.default_rng(0)).tolist()
    [0, 2, 2, 3]
    """
    shuffled = rng.permutation(images)
    ends = np.cumsum(weights[shuffled])
    count = max(1, round(ends[-1]))
    points = (rng.random() + np.arange(count)) * ends[-1] / count
    places = np.searchsorted(ends, points, side="right").clip(max=len(shuffled) - 1)
    drawn: Images = np.sort(shuffled[places])
    return drawn
