"""What a JSON Schema says of every place of a document, whatever way it says it."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
PLAIN = ("minimum", "maximum", "minItems", "maxItems", "pattern")


def facts(schema: Schema) -> dict[str, Schema]:
    """Per place ("findings[].evidence.gap"): types, required, allowed values, limits, openness, descriptions."""
    return {place: _said(parts) for place, parts in _places("", [schema], schema)}


def _resolved(node: Schema, root: Schema) -> list[Schema]:
    """All parts that together describe a place: of ``$ref``, ``allOf``, and of a choice but for null."""
    parts = [node]
    if "$ref" in node:
        target: Any = root
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        parts += _resolved(target, root)
    for choice in ("allOf", "anyOf", "oneOf"):
        for part in node.get(choice, ()):
            parts += _resolved(part, root)
    return parts


def _places(place: str, nodes: list[Schema], root: Schema) -> Iterator[tuple[str, list[Schema]]]:
    parts = [part for node in nodes for part in _resolved(node, root)]
    yield place, parts
    below: dict[str, list[Schema]] = {}
    for part in parts:
        for name, inner in part.get("properties", {}).items():
            below.setdefault(f"{place}.{name}".lstrip("."), []).append(inner)
        for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
            if isinstance(part.get(key), dict):
                below.setdefault(place + mark, []).append(part[key])
    for name, inner in below.items():
        yield from _places(name, inner, root)


def _said(parts: list[Schema]) -> Schema:
    types: set[str] = set()
    values: set[Any] = set()
    for part in parts:
        types |= {part["type"]} if isinstance(part.get("type"), str) else set(part.get("type", ()))
        values |= {part["const"]} if "const" in part else set(part.get("enum", ()))
    said: Schema = {key: part[key] for part in parts for key in PLAIN if key in part}
    said["closed"] = any(part.get("additionalProperties") is False for part in parts)
    said["required"] = {name for part in parts for name in part.get("required", ())}
    said["values"] = values - {None}
    # A list of allowed values says the type as well.
    said["types"] = (types | {"null"} if None in values else types) - ({"string"} if values - {None} else set())
    said["descriptions"] = {part["description"] for part in parts if "description" in part}
    return said
