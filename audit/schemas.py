"""The JSON Schemas of the files that other programs rely on; each is laid beside the file that follows it."""

from importlib import resources
from pathlib import Path

from audit.folder import write_text


def schema_text(name: str) -> str:
    """The JSON Schema of ``audit.json`` or ``verification.json``, by its name without ending."""
    return resources.files("audit").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")


def write_schema(file: Path) -> Path:
    """Lay the schema of a file, which has the file's name, beside it; return its path."""
    place = file.with_suffix(".schema.json")
    write_text(place, schema_text(file.stem))
    return place
