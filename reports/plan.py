"""What the report shows of the plan: the images to collect, each with examples, and how to train with the weights."""

from audit.findings.audit_json import AuditRecord
from audit.plan.plan_json import Order

# Rows with example images; further ones are in the plan's files.
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


def orders(record: AuditRecord) -> list[Order]:
    """What to collect for all findings together, the largest orders of each class first; none in an older audit."""
    ways = record.plan.ways
    to_collect = [order for order in ways.collect.cells if order.add and order.ask != 0] if ways else []
    return sorted(to_collect, key=lambda order: (order.label, -order.add))[:ORDERS]
