"""Fitting one network: the loss is balanced by class, the best epoch is kept, and a kill changes nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from audit.config import Config, parse_config
from audit.errors import StageError
from audit.model.device import Runtime
from audit.model.network import GapHead, load_backbone
from audit.model.trainer import Checkpoint, Epoch, Fitting, PooledInputs, Split, draw
from audit.plan.reweighting import rake
from audit.store.shards import Shard, ShardStore

CPU = Runtime(torch.device("cpu"), "float32")


def settings(fine_tune: str = "head", **training: object) -> Config:
    given = {"epochs": 5, "patience": 5, "batch_size": 8, "head_learning_rate": 0.05, **training}
    return parse_config({"model": {"arch": "tiny", "image_size": 32, "fine_tune": fine_tune}, "training": given})


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Inputs of a tail: random activations (n, C, 8, 8), mirrored on demand."""

    activations: torch.Tensor

    def batches(self, images, size, flipped=None):
        flipped = np.zeros(len(images), bool) if flipped is None else flipped
        for start in range(0, len(images), size):
            rows = images[start : start + size]
            mirrored = torch.from_numpy(flipped[start : start + size])[:, None, None, None]
            upright = self.activations[rows]
            yield rows, torch.where(mirrored, upright.flip(3), upright)


def pooled_activations(labels: np.ndarray, channels: int = 48, shift: float = 1.0) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=(len(labels), channels))
    noise[:, 0] += shift * labels
    return noise.astype(np.float32)


def make(path: Path, config: Config, labels: np.ndarray, key: str = "k", split: Split | None = None) -> Fitting:
    """A fitting of the tiny network; with ``fine_tune: head`` on pooled activations, else on random maps."""
    torch.manual_seed(7)
    backbone = load_backbone(config)
    network = backbone.network(config.model.head, int(labels.max()) + 1, CPU)
    pooled = pooled_activations(labels)
    if config.model.fine_tune == "head":
        inputs = PooledInputs(pooled, CPU)
        network.head.standardise(torch.from_numpy(pooled))
    else:
        inputs = Pictures(torch.rand(len(labels), 32, 8, 8, generator=torch.Generator().manual_seed(3)))
    images = np.arange(len(labels))
    split = split or Split(images[images % 4 != 0], images[images % 4 == 0])
    return Fitting(
        network, inputs, split, labels, config, CPU, 11, Checkpoint(ShardStore(path, key), Shard("fold", images))
    )


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(40) % 2


def ignore(count: int) -> None:
    del count


class Killed:
    """Progress that is interrupted once ``epochs`` epochs are done."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def __call__(self, count: int) -> None:
        self.left -= count
        if self.left == 0:
            raise KeyboardInterrupt


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("fine_tune", ["head", "conv5"])
@pytest.mark.parametrize("killed_after", [1, 3, 5])
def test_interrupted_and_resumed_is_bit_identical(fine_tune, killed_after, labels, tmp_path):
    config = settings(fine_tune, tail_learning_rate=1e-3)
    straight = make(tmp_path / "straight", config, labels)
    straight.run(ignore)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "killed", config, labels).run(Killed(killed_after))
    resumed = make(tmp_path / "killed", config, labels)
    seen: list[int] = []
    resumed.run(seen.append)
    assert seen[0] == killed_after
    assert resumed.history == straight.history
    assert sum(seen) == 5
    assert same(resumed.network.trained_state(), straight.network.trained_state())


def epochs_resumed(fitting: Fitting) -> int:
    """How many epochs need not be done again."""
    seen: list[int] = []
    fitting.run(seen.append)
    return seen[0]


def test_a_checkpoint_of_another_key_is_not_taken_up(labels, tmp_path):
    make(tmp_path, settings(epochs=2), labels).run(ignore)
    assert epochs_resumed(make(tmp_path, settings(epochs=2), labels)) == 2
    assert epochs_resumed(make(tmp_path, settings(epochs=2), labels, key="other")) == 0


def test_a_damaged_checkpoint_is_begun_anew(labels, tmp_path):
    straight = make(tmp_path, settings(epochs=2), labels).run(ignore)
    (tmp_path / "fold.safetensors").write_bytes(b"broken")
    anew = make(tmp_path, settings(epochs=2), labels)
    assert epochs_resumed(anew) == 0 and anew.history == straight


def scripted(fitting: Fitting, monkeypatch, losses: list[float]) -> list[dict[str, torch.Tensor]]:
    """Let the validation losses be as given; returns the list of states that the network had after each epoch."""
    states = []

    def evaluate(images):
        states.append({key: value.clone() for key, value in fitting.network.trained_state().items()})
        return losses[len(states) - 1], 0.5

    monkeypatch.setattr(fitting, "_evaluate", evaluate)
    return states


def test_stops_early_and_keeps_the_best_epoch(labels, tmp_path, monkeypatch):
    fitting = make(tmp_path, settings(epochs=9, patience=2), labels)
    states = scripted(fitting, monkeypatch, [0.7, 0.5, 0.6, 0.55, 0.1])
    history = fitting.run(ignore)
    assert [epoch.validation_loss for epoch in history] == [0.7, 0.5, 0.6, 0.55]
    assert same(fitting.network.trained_state(), states[1]) and not same(states[1], states[3])


def test_the_last_epoch_may_be_the_best(labels, tmp_path, monkeypatch):
    fitting = make(tmp_path, settings(epochs=3, patience=2), labels)
    states = scripted(fitting, monkeypatch, [0.7, 0.9, 0.6, 0.1])
    assert len(fitting.run(ignore)) == 3
    assert same(fitting.network.trained_state(), states[2])


def test_a_loss_that_is_no_number_is_an_error_of_ours(labels, tmp_path, monkeypatch):
    fitting = make(tmp_path, settings(), labels)
    scripted(fitting, monkeypatch, [0.5, float("nan")])
    with pytest.raises(StageError, match=r"diverged.*lower training\.head_learning_rate"):
        fitting.run(ignore)
    assert epochs_resumed(make(tmp_path, settings(), labels)) == 1


def balanced_loss(scores: np.ndarray, labels: np.ndarray, fitted: np.ndarray) -> float:
    """Mean over classes of each class's mean cross-entropy, in float64, for balance measured on ``fitted``."""
    weights = len(fitted) / (2 * np.bincount(fitted))[labels]
    shifted = scores - scores.max(1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    return float((weights * losses).sum() / weights.sum())


@pytest.mark.parametrize("batch_size", [4, 7, 64])
def test_the_validation_loss_is_balanced_whatever_the_batches(batch_size, tmp_path):
    """Images come sorted by class, so a batch often holds one class alone."""
    labels = np.repeat([0, 1], [60, 12])
    images = np.arange(72)
    split = Split(images[images % 2 == 0], images[images % 2 == 1])
    fitting = make(tmp_path, settings(batch_size=batch_size, epochs=1), labels, split=split)
    (epoch,) = fitting.run(ignore)
    head: GapHead = fitting.network.head
    arrays = (head.mean, head.std, head.linear.weight, head.linear.bias)
    mean, std, weight, bias = (tensor.detach().double().numpy() for tensor in arrays)
    scores = (pooled_activations(labels)[split.validation].astype(np.float64) - mean) / std @ weight.T + bias
    truth = labels[split.validation]
    assert epoch.validation_loss == pytest.approx(balanced_loss(scores, truth, labels[split.fit]), rel=1e-5)
    assert epoch.validation_accuracy == (scores.argmax(1) == truth).mean()


def test_the_weights_of_the_classes_are_inverse_to_their_frequency(tmp_path):
    labels = np.repeat([0, 1, 2], [12, 4, 8])
    fitting = make(tmp_path, settings(), labels, split=Split(np.arange(24), np.arange(24)))
    np.testing.assert_allclose(fitting.balance.numpy(), [24 / 36, 24 / 12, 24 / 24])


def test_weights_of_one_change_nothing(labels, tmp_path):
    config = settings("conv5", tail_learning_rate=1e-3)
    plain, weighted = make(tmp_path / "plain", config, labels), make(tmp_path / "weighted", config, labels)
    weighted = dataclasses.replace(weighted, weights=np.ones(40), history=[], best={})
    assert plain.run(ignore) == weighted.run(ignore)
    assert same(plain.network.trained_state(), weighted.network.trained_state())


@given(
    st.lists(st.floats(0, 12), min_size=1, max_size=40).filter(lambda weights: sum(weights) > 0.5), st.integers(0, 99)
)
def test_images_are_drawn_as_often_as_their_weight_says(weights, seed):
    weights = np.array(weights)
    drawn = draw(np.arange(len(weights)), weights, np.random.default_rng(seed))
    expected = weights * max(1, round(weights.sum())) / weights.sum()
    times = np.bincount(drawn, minlength=len(weights))
    assert len(drawn) == max(1, round(weights.sum()))
    assert (times >= np.floor(expected - 1e-6)).all() and (times <= np.ceil(expected + 1e-6)).all()


def test_on_average_the_weights_are_met_exactly():
    weights = np.array([0.2, 1.7, 0.0, 3.3, 0.8])
    draws = [draw(np.arange(5), weights, np.random.default_rng(seed)) for seed in range(4000)]
    times = np.mean([np.bincount(drawn, minlength=5) for drawn in draws], axis=0)
    np.testing.assert_allclose(times, weights, atol=0.03)


def test_classes_are_balanced_by_their_weighted_counts(tmp_path):
    """Weights that even the classes out already leave nothing to balance."""
    labels = np.repeat([0, 1], [30, 10])
    fitting = make(tmp_path, settings(), labels, split=Split(np.arange(40), np.arange(40)))
    weighted = dataclasses.replace(fitting, weights=np.repeat([2 / 3, 2.0], [30, 10]))
    np.testing.assert_allclose(fitting.balance.numpy(), [40 / 60, 40 / 20], rtol=1e-6)
    np.testing.assert_allclose(weighted.balance.numpy(), [1, 1], rtol=1e-6)


def test_the_validation_loss_is_weighted_whatever_the_batches(tmp_path):
    labels, weights = np.repeat([0, 1], [60, 12]), np.random.default_rng(2).uniform(0.1, 5, 72)
    images = np.arange(72)
    split = Split(images[images % 2 == 0], images[images % 2 == 1])
    losses = []
    for size in (4, 64):
        fitting = dataclasses.replace(
            make(tmp_path / str(size), settings(batch_size=size, epochs=1), labels, split=split), weights=weights
        )
        losses.append(fitting._evaluate(split.validation)[0])
        counts = np.bincount(labels[split.fit], weights[split.fit])
        scores = fitting.network.head(torch.from_numpy(pooled_activations(labels))[:, :, None, None]).detach().numpy()
        each = np.log(np.exp(scores).sum(1)) - scores[images, labels]
        counted = (weights * (counts.sum() / 2 / counts)[labels])[split.validation]
        assert losses[-1] == pytest.approx(np.average(each[split.validation], weights=counted), rel=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def shortcut_scene(n: int, agreement: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, a cue that agrees with them in a share of the images, and activations: the cue is loud, the truth low."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    cue = np.where(rng.random(n) < agreement, labels, 1 - labels)
    pooled = rng.normal(size=(n, 48)).astype(np.float32)
    pooled[:, 0] += 1.5 * (2 * labels - 1)
    pooled[:, 1] += 4 * (2 * cue - 1)
    return labels, cue, pooled


def right_where_they_part(tmp_path: Path, weights: np.ndarray | None) -> float:
    """Accuracy where cue and label part, of a head that was fitted on a scene where they mostly agree."""
    labels, cue, pooled = shortcut_scene(1200, 0.95, seed=1)
    fitting = make(tmp_path, settings(epochs=20, patience=20, batch_size=32, head_learning_rate=0.02), labels)
    split = fitting.split.counting(weights)
    fitting = dataclasses.replace(fitting, inputs=PooledInputs(pooled, CPU), weights=weights, split=split)
    fitting.network.head.standardise(torch.from_numpy(pooled))
    fitting.run(ignore)
    labels, cue, pooled = shortcut_scene(2000, 0.5, seed=2)
    answers = fitting.network.head(torch.from_numpy(pooled)[:, :, None, None]).argmax(1).numpy()
    return float((answers == labels)[cue != labels].mean())


def test_weights_unlearn_a_shortcut(tmp_path):
    labels, cue, _ = shortcut_scene(1200, 0.95, seed=1)
    before = right_where_they_part(tmp_path / "plain", None)
    after = right_where_they_part(tmp_path / "weighted", rake(labels, cue).weights)
    assert before < 0.75 and after > before + 0.1


def test_leaving_images_out_unlearns_a_shortcut(tmp_path):
    """As many images are kept where cue and label agree as where they part."""
    labels, cue, _ = shortcut_scene(1200, 0.95, seed=1)
    kept = (cue != labels).astype(float)
    for label in (0, 1):
        agreeing = np.flatnonzero((cue == labels) & (labels == label))
        kept[agreeing[: int(((cue != labels) & (labels == label)).sum())]] = 1
    assert right_where_they_part(tmp_path / "dropped", kept) > right_where_they_part(tmp_path / "plain", None) + 0.05


def test_images_of_weight_zero_are_on_neither_side():
    split = Split(np.array([0, 1, 2]), np.array([3, 4])).counting(np.array([1, 0, 2, 0, 0.5]))
    assert (split.fit.tolist(), split.validation.tolist()) == ([0, 2], [4])


def test_learns_a_planted_difference_and_nothing_from_noise(tmp_path):
    labels = np.random.default_rng(5).integers(0, 2, 200)
    fitting = make(tmp_path, settings(epochs=10, patience=10), labels)
    fitting.inputs = PooledInputs(pooled_activations(labels, shift=6.0), CPU)
    assert fitting.run(ignore)[-1].validation_accuracy > 0.95
    noise = make(tmp_path / "noise", settings(epochs=10, patience=10), labels)
    noise.inputs = PooledInputs(pooled_activations(labels, shift=0.0), CPU)
    assert 0.25 < noise.run(ignore)[-1].validation_accuracy < 0.75


def flips_asked_for(fitting: Fitting) -> np.ndarray:
    asked, inner = [], fitting.inputs.batches

    class Watched:
        def batches(self, images, size, flipped=None):
            asked.append(np.zeros(len(images), bool) if flipped is None else flipped)
            return inner(images, size, flipped)

    fitting.inputs = Watched()
    fitting.run(ignore)
    assert not any(flips.any() for flips in asked[1::2]), "validation is never mirrored"
    return np.concatenate(asked[::2])


@pytest.mark.parametrize(
    ("fine_tune", "flips", "share"), [("conv5", True, 0.5), ("conv5", False, 0), ("head", True, 0)]
)
def test_half_of_the_fitted_pictures_are_mirrored_where_that_helps(fine_tune, flips, share, labels, tmp_path):
    asked = flips_asked_for(make(tmp_path, settings(fine_tune, flips=flips), labels))
    assert asked.mean() == pytest.approx(share, abs=0.15)


def test_only_the_head_changes_on_a_frozen_trunk(labels, tmp_path):
    fitting = make(tmp_path, settings(), labels)
    trunk = {key: value.clone() for key, value in fitting.network.trunk.state_dict().items()}
    fitting.run(ignore)
    assert same(trunk, fitting.network.trunk.state_dict())
    assert set(fitting.network.trained_state()) == {"head.mean", "head.std", "head.linear.weight", "head.linear.bias"}


def test_pooled_inputs_come_in_the_order_asked_for():
    pooled = np.arange(12, dtype=np.float32).reshape(6, 2)
    batches = list(PooledInputs(pooled, CPU).batches(np.array([5, 0, 3]), 2))
    assert [batch.tolist() for batch, _ in batches] == [[5, 0], [3]]
    assert torch.cat([tensor for _, tensor in batches]).flatten(1).tolist() == pooled[[5, 0, 3]].tolist()


def test_an_epoch_is_plain_numbers(labels, tmp_path):
    (epoch,) = make(tmp_path, settings(epochs=1), labels).run(ignore)
    assert isinstance(epoch, Epoch) and all(isinstance(value, float) for value in dataclasses.astuple(epoch))
