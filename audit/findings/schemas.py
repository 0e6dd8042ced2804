"""The JSON Schemas of the files that other programs rely on, written from their types.

Each is laid beside the file that follows it, too. ``python -m audit.findings.schemas`` writes anew those that are part
of the package, for readers who have no audit at hand.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from audit.findings.audit_json import audit_schema
from audit.findings.verification_json import verification_schema
from audit.records import JsonObject
from audit.store.audit_folder import json_text, write_schema

SCHEMAS: Mapping[str, Callable[[], JsonObject]] = {"audit": audit_schema, "verification": verification_schema}


def schema_text(name: str) -> str:
    """The JSON Schema of ``audit.json`` or ``verification.json``, by its name without ending."""
    return json_text(SCHEMAS[name]())


if __name__ == "__main__":
    for name, schema in SCHEMAS.items():
        write_schema(Path(__file__).parent / f"{name}.json", schema())
