"""picked.json: which photographs of a pool fill the audit's orders, and why."""

from typing import Annotated

from pydantic import Field

from audit.data.dataset_json import RefusedFile
from audit.records import Count, Positive, Record, absent, named
from audit.store.audit_folder import AuditFolder, read_record


class PickedPhoto(Record):
    """A photograph that was picked; ``path`` is relative to the pool, ``rank`` counts from 1, the surest first.

    ``probability`` is that of its class by the audit's models, where nobody said which class it is of, without what the
    order's cues add to their answers; ``said`` is what they answered.
    """

    path: str
    sha256: str
    rank: Positive
    probability: Annotated[float, Field(ge=0, le=1)] | None = absent()
    said: Annotated[float, Field(ge=0, le=1)] | None = absent()
    reasons: tuple[str, ...]


class FilledOrder(Record):
    """An order and what was picked for it: of ``ask`` photographs ``fitting`` ones were found in the pool.

    ``unfillable`` says why no pool can fill it.
    """

    label: str = named("class")
    state: str
    ask: Positive
    fitting: Count
    photographs: tuple[PickedPhoto, ...]
    unfillable: str | None = absent()


class Picked(Record):
    """The content of ``picked/picked.json``: the last picking from a pool.

    ``pools`` are the folders of all pickings, from which the audit's manifests may name photographs, and ``tables`` the
    SHA-256 of the tables that they wrote.
    """

    pool: str
    files: Count
    labelled: Count
    guessed: Count
    copies: Count
    refused: tuple[RefusedFile, ...]
    orders: tuple[FilledOrder, ...]
    table: str
    copied_to: str | None = absent()
    pools: tuple[str, ...]
    tables: tuple[str, ...]

    @property
    def ordered(self) -> int:
        """How many photographs are ordered of what a pool can hold."""
        return sum(order.ask for order in self.orders if not order.unfillable)

    @property
    def found(self) -> int:
        """How many were picked."""
        return sum(len(order.photographs) for order in self.orders)


def read_picked(folder: AuditFolder) -> Picked | None:
    """The last picking for an audit, if there was one. Raises AuditFolderError when its record is damaged."""
    path = folder.picked / "picked.json"
    return read_record(path, Picked) if path.exists() else None
