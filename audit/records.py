"""Records: the typed content of the JSON files that stages hand to each other and that other programs read."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
JsonObject = dict[str, JsonValue]
# How a photograph is named: by its number among the images between stages, by its path in audit.json.
PhotoName = TypeVar("PhotoName", int, str)
# In the settings of a record whose published schema promises that no further keys will ever appear.
CLOSED = "closed"
# In the schema of a field that older files lack, but not those that are written now.
ALWAYS = "always"


class Record(BaseModel):
    """The content of a JSON file, or a part of it. Frozen; refuses unknown keys, other types, NaN and infinities.

    A field with a default may be absent from the file, and is not written where nobody gave it. What a field is called
    in the file and cannot be called in Python (``class``) is its alias.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    def tree(self) -> JsonObject:
        """Plain JSON types, keys in the order of the fields."""
        return self.model_dump(mode="json", exclude_unset=True)


def named(alias: str, description: str | None = None) -> Any:
    """A required field that is called ``alias`` in the file."""
    return Field(validation_alias=alias, serialization_alias=alias, description=description)


def absent(description: str | None = None) -> Any:
    """A field that may be absent from the file, and is None then; where it is there, it is not null."""
    return Field(default=None, description=description, json_schema_extra=_never_null)


def named_photos(images: Iterable[int | str], paths: Sequence[str]) -> tuple[str, ...]:
    """Images by their ``paths``, which are those of all images in order."""
    return tuple(paths[int(image)] for image in images)


def newer(description: str | None = None) -> Any:
    """A field that is always written, and not as null; audits of an older version may lack it, and it is None then."""

    def always(schema: JsonObject) -> None:
        _never_null(schema)
        schema[ALWAYS] = True

    return Field(default=None, description=description, json_schema_extra=always)


def schema_of(record: type[Record], title: str, description: str) -> JsonObject:
    """The JSON Schema that is published for a file of this record.

    Readers are told that further keys may appear, since a later version may add some; what is required stays.
    """
    tree = record.model_json_schema()
    del tree["title"], tree["description"]
    published = _published(tree)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "description": description}
    return {**head, **published} if isinstance(published, dict) else {}


def _never_null(schema: JsonObject) -> None:
    choices = schema.pop("anyOf")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice != {"type": "null"}:
            schema.update(choice)


def _published(node: JsonValue) -> JsonValue:
    """A node of a schema without Python's names for things, and open to further keys unless it is ``CLOSED``."""
    if isinstance(node, list):
        return [_published(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key not in ("title", "default", CLOSED, ALWAYS)}
    if kept.get("additionalProperties") is False and not node.get(CLOSED):
        kept["additionalProperties"] = True
    parts = node.get("properties")
    if isinstance(parts, dict):
        written = {name for name, part in parts.items() if isinstance(part, dict) and part.get(ALWAYS)}
        required = node.get("required")
        kept["required"] = [n for n in parts if n in written or (isinstance(required, list) and n in required)]
    if isinstance(text := kept.get("description"), str):
        kept["description"] = " ".join(text.replace("``", "").split())
    return {
        key: _named_parts(value) if key in ("properties", "$defs") else _published(value) for key, value in kept.items()
    }


def _named_parts(parts: JsonValue) -> JsonValue:
    """The same for what is called as it likes: a property may well be called ``title``."""
    return {name: _published(part) for name, part in parts.items()} if isinstance(parts, dict) else parts
