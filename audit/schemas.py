"""The JSON Schemas of the files that other programs rely on, each laid beside the file that follows it.

They are written from the types in ``audit_json`` and ``verification_json``. ``python -m audit.schemas`` writes anew
those that are part of the package, for readers who have no audit at hand.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from audit.audit_json import audit_schema
from audit.folder import write_text
from audit.records import JsonObject
from audit.verification_json import verification_schema

SCHEMAS: Mapping[str, Callable[[], JsonObject]] = {"audit": audit_schema, "verification": verification_schema}


def schema_text(name: str) -> str:
    """The JSON Schema of ``audit.json`` or ``verification.json``, by its name without ending."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


def write_schema(file: Path) -> Path:
    """Lay the schema of a file, which has the file's name, beside it; return its path."""
    place = file.with_suffix(".schema.json")
    write_text(place, schema_text(file.stem))
    return place


if __name__ == "__main__":
    for name in SCHEMAS:
        write_schema(Path(__file__).parent / f"{name}.json")
