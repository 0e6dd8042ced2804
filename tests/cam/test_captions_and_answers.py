"""Captions and answers (paper, sections 8.1 and 8.2): a map for a word lies on the thing that the word names."""

import pytest
import torch
from torch import Tensor, nn

from audit.cam.gradcam import GradCAM
from audit.cam.localisation import pointing_game
from tests.scenes import KINDS, Scenes, convolutions, draw_scenes, train

# Words of captions: the four kinds of things, then these two.
START, END = 4, 5
# Words of questions: "is there a ..." and the four kinds.
IS, THERE, A = 4, 5, 6
YES = 1


class Captioner(nn.Module):
    """A CNN whose pooled activations are an LSTM's first input: pictures and words so far -> logits of next words."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = convolutions()
        self.picture = nn.Sequential(nn.BatchNorm1d(32), nn.Linear(32, 48))
        self.words = nn.Embedding(6, 48)
        self.lstm = nn.LSTM(48, 48, batch_first=True)
        self.next = nn.Linear(48, 6)

    def forward(self, pictures: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.picture(self.layers(pictures).mean((2, 3)))[:, None]
        states, _ = self.lstm(torch.cat([seen, self.words(words)], 1))
        return self.next(states)[:, 1:], states


class Answerer(nn.Module):
    """A CNN and a bag of words, multiplied: "is there a tree" and a picture -> logits of no and yes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = convolutions()
        self.question = nn.EmbeddingBag(7, 48, mode="sum")
        self.picture = nn.Linear(32, 48)
        self.answer = nn.Linear(48, 2)

    def forward(self, question: Tensor, pictures: Tensor) -> Tensor:
        return self.answer(self.picture(self.layers(pictures).mean((2, 3))) * self.question(question))


@pytest.fixture(scope="module")
def drawn() -> Scenes:
    return draw_scenes(512, seed=1)


@pytest.fixture(scope="module")
def held_out() -> Scenes:
    return draw_scenes(96, seed=2)


def captions(scenes: Scenes) -> Tensor:
    """<start>, the things that are shown, and <end> to the end: (N, 6)."""
    rows = [[START, *shown.nonzero()[:, 0].tolist()] for shown in scenes.shown]
    return torch.tensor([row + [END] * (6 - len(row)) for row in rows])


def questions(kind: int, n: int) -> Tensor:
    return torch.tensor([[IS, THERE, A, kind]]).expand(n, -1)


@pytest.fixture(scope="module")
def captioner(drawn) -> Captioner:
    torch.manual_seed(0)
    model, words = Captioner(), captions(drawn)

    def loss(rows: Tensor) -> Tensor:
        logits, _ = model(drawn.pictures[rows], words[rows, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), words[rows, 1:].flatten())

    train(model, loss, len(words), epochs=24)
    return model.eval()


@pytest.fixture(scope="module")
def answerer(drawn) -> Answerer:
    torch.manual_seed(0)
    model = Answerer()

    def loss(rows: Tensor) -> Tensor:
        kinds = torch.randint(4, (len(rows),))
        asked = torch.stack([questions(int(kind), 1)[0] for kind in kinds])
        truth = drawn.shown[rows].gather(1, kinds[:, None])[:, 0].long()
        return nn.functional.cross_entropy(model(asked, drawn.pictures[rows]), truth)

    train(model, loss, len(drawn.pictures), epochs=24)
    return model.eval()


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_the_map_of_a_word_lies_on_the_thing_it_names(kind, captioner, held_out):
    rows = held_out.shown[:, kind]
    words = captions(held_out)[rows]

    def log_probability(output: tuple[Tensor, Tensor]) -> Tensor:
        return (output[0].log_softmax(2)[:, :, kind] * (words[:, 1:] == kind)).sum(1)

    explanation = GradCAM(captioner)((held_out.pictures[rows], words[:, :-1]), log_probability)
    assert explanation.scores.exp().mean() > 0.9, "the captioner has not learned its captions"
    assert pointing_game(explanation.maps, held_out.masks[rows, kind, None], tolerance=2).accuracy >= 0.9


def test_the_map_of_a_whole_caption_lies_on_things(captioner, held_out):
    """Paper, section 8.1: the target is the log-probability of the caption."""
    words = captions(held_out)

    def log_probability(output: tuple[Tensor, Tensor]) -> Tensor:
        chances = output[0].log_softmax(2).gather(2, words[:, 1:, None])[:, :, 0]
        return (chances * (words[:, :-1] != END)).sum(1)

    explanation = GradCAM(captioner)((held_out.pictures, words[:, :-1]), log_probability)
    assert pointing_game(explanation.maps, held_out.masks.any(1, keepdim=True), tolerance=2).accuracy >= 0.9


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_the_map_of_yes_lies_on_the_thing_that_was_asked_for(kind, answerer, held_out):
    """The same pictures, four questions: the map follows the question."""
    rows = held_out.shown[:, kind]
    asked = questions(kind, int(rows.sum()))
    explanation = GradCAM(answerer)((asked, held_out.pictures[rows]), torch.full((len(asked),), YES))
    assert (explanation.output.argmax(1) == YES).float().mean() > 0.9, "the network has not learned to answer"
    assert pointing_game(explanation.maps, held_out.masks[rows, kind, None], tolerance=2).accuracy >= 0.9


def test_an_untrained_network_finds_things_less_often(held_out):
    torch.manual_seed(0)
    rows = held_out.shown[:, 0]
    explanation = GradCAM(Answerer())(
        (questions(0, int(rows.sum())), held_out.pictures[rows]), lambda output: output[:, YES]
    )
    assert pointing_game(explanation.maps, held_out.masks[rows, 0, None], tolerance=2).accuracy <= 0.75
