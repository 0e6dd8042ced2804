"""What the report shows of the plan: the photographs to collect, with pictures, and how to train with the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

# Rows with pictures; further ones are in the plan's files.
ORDERS = 24

SAMPLER = """\
import csv
from pathlib import Path

from torch.utils.data import DataLoader, WeightedRandomSampler
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, Resize, ToTensor

photos = ImageFolder("photos", Compose([Resize((224, 224)), ToTensor()]))
with open("plan/weights.csv", newline="", encoding="utf-8") as file:
    weights = {row["path"].removeprefix("./"): float(row["weight"]) for row in csv.DictReader(file)}
paths = [Path(path).relative_to("photos").as_posix() for path, _ in photos.samples]
sampler = WeightedRandomSampler([weights.get(path, 0.0) for path in paths], num_samples=len(paths))
loader = DataLoader(photos, batch_size=32, sampler=sampler)
"""


@dataclass(frozen=True)
class Order:
    """Photographs to collect: a sentence to be copied, and up to three ``examples`` (paths)."""

    sentence: str
    label: str
    have: int
    need: int
    add: int
    examples: tuple[str, ...]


def orders(record: Record) -> list[Order]:
    """What to collect for all findings together, the largest orders of each class first; none in an older audit."""
    cells = record["plan"].get("ways", {}).get("collect", {}).get("cells", [])
    wanted = sorted((cell for cell in cells if cell["add"]), key=lambda cell: (cell["class"], -cell["add"]))
    return [
        Order(cell["sentence"], cell["class"], cell["have"], cell["need"], cell["add"], tuple(cell["examples"]))
        for cell in wanted[:ORDERS]
    ]
