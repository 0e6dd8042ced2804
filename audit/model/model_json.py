"""model.json: the network that was trained, and where it came from."""

from audit.config import Arch
from audit.records import Record


class ModelDescription(Record):
    """The content of ``model.json``. ``weights`` is a sentence; ``device`` and ``precision`` are what it ran on."""

    classes: tuple[str, ...]
    arch: Arch
    weights: str
    weights_sha256: str
    device: str
    precision: str
