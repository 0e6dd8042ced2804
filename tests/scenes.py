"""Drawn scenes of one to four things, where they are, and small networks that learn them in seconds on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

KINDS = ("sun", "tree", "house", "pond")
SIDE = 48
_COLOURS = ((240, 200, 40), (40, 160, 60), (200, 60, 50), (50, 90, 220))


@dataclass(frozen=True)
class Scenes:
    """Pictures float32 (N, 3, 48, 48), and where each kind of thing is in them: masks boolean (N, 4, 48, 48)."""

    pictures: Tensor
    masks: Tensor

    @property
    def shown(self) -> Tensor:
        """Which kinds a picture shows: boolean (N, 4)."""
        return self.masks.flatten(2).any(2)


def draw_scenes(n: int, seed: int) -> Scenes:
    """Scenes on noise; every kind is shown in about half of them, whatever else is, in a quarter of its own."""
    rng = np.random.default_rng(seed)
    pictures, masks = [], []
    for _ in range(n):
        picture = Image.fromarray(rng.integers(90, 140, (SIDE, SIDE, 3), dtype=np.uint8))
        where = np.zeros((4, SIDE, SIDE), bool)
        shown = rng.random(4) < 0.5
        shown[rng.integers(4)] |= not shown.any()
        for kind, quarter in zip(np.flatnonzero(shown), rng.permutation(4), strict=False):
            x, y = np.array(divmod(int(quarter), 2)) * 24 + rng.integers(3, 7, 2)
            where[kind] = _draw_thing(picture, int(kind), int(x), int(y))
        pictures.append(np.asarray(picture, np.float32).transpose(2, 0, 1) / 127.5 - 1)
        masks.append(where)
    return Scenes(torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(masks)))


def _draw_thing(picture: Image.Image, kind: int, x: int, y: int) -> np.ndarray:
    mask = Image.new("1", picture.size)
    for image, fill in ((picture, _COLOURS[kind]), (mask, 1)):
        draw = ImageDraw.Draw(image)
        match KINDS[kind]:
            case "sun":
                draw.ellipse([x, y, x + 14, y + 14], fill=fill)
            case "tree":
                draw.polygon([(x, y + 14), (x + 7, y), (x + 14, y + 14)], fill=fill)
            case "house":
                draw.rectangle([x + 1, y + 1, x + 13, y + 13], fill=fill)
            case "pond":
                draw.ellipse([x, y + 4, x + 14, y + 12], fill=fill)
    return np.asarray(mask)


def convolutions(channels: int = 32) -> nn.Sequential:
    """A small CNN: (N, 3, 48, 48) -> (N, channels, 12, 12)."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, channels, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def train(model: nn.Module, loss: Callable[[Tensor], Tensor], n: int, epochs: int) -> None:
    """Fit a model in place; ``loss`` gives the loss of some of the ``n`` images."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(n, generator=generator).split(32):
            optimizer.zero_grad()
            loss(rows).backward()
            optimizer.step()


def tagger(scenes: Scenes, seed: int = 0, epochs: int = 12) -> nn.Sequential:
    """A network that names the things in a picture, trained: scores (N, 4), positive where a kind is shown."""
    torch.manual_seed(seed)
    model = nn.Sequential(convolutions(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4))
    criterion = nn.BCEWithLogitsLoss()

    def loss(rows: Tensor) -> Tensor:
        return criterion(model(scenes.pictures[rows]), scenes.shown[rows].float())

    train(model, loss, len(scenes.pictures), epochs)
    return model.eval()
