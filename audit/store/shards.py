"""Resumable work in shards: files of arrays, each with a digest of all that it was made from.

A stage divides its work into shards, and a function makes the arrays of one of them. What is done is not done again,
whether this run did it, one that was killed, or another audit of the same images: a shard is valid if its key,
a digest of contents, is the one asked for. Shards can be made in any order and by anybody who sees the folder.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audit.errors import AuditFolderError
from audit.store import tensors
from audit.store.audit_folder import link_or_copy, value_digest

Arrays = Mapping[str, "NDArray[Any] | Tensor"]
"""What a shard holds, by name."""
if TYPE_CHECKING:  # Processes that only look for cues do without PyTorch.
    from torch import Tensor

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Shard:
    """A part of a stage's work: ``rows`` int64 (n,), mostly images, in the file called ``name``.

    ``content`` is a digest of what the rows are, where the key of all shards does not tell that already.
    """

    name: str
    rows: NDArray[np.integer]
    content: str = ""


@dataclass(frozen=True)
class ShardStore:
    """The shards of one question in a folder. ``key`` is a digest of all that the answers depend on but the rows."""

    folder: Path
    key: str

    def path(self, shard: Shard) -> Path:
        """Where the shard is, or will be."""
        return self.folder / f"{shard.name}{SUFFIX}"

    def holds(self, shard: Shard) -> bool:
        """Whether the shard is there and answers this question about these rows. A damaged file does not."""
        try:
            return bool(tensors.load_header(self.path(shard)).get("key") == self._key_of(shard))
        except AuditFolderError:
            return False

    def missing(self, shards: Iterable[Shard]) -> list[Shard]:
        """Those that have yet to be made."""
        return [shard for shard in shards if not self.holds(shard)]

    def write(self, shard: Shard, arrays: Arrays, **header: Any) -> Path:
        """Keep what was made, atomically; ``header`` are JSON values that go with it."""
        path = self.path(shard)
        tensors.save_tensors(path, arrays, {**header, "key": self._key_of(shard)})
        return path

    def read(self, shard: Shard, *names: str) -> dict[str, NDArray[Any]]:
        """The arrays named, or all. Raises AuditFolderError when the file is missing or damaged."""
        return tensors.load_arrays(self.path(shard), *names)

    def fill(
        self, shards: Sequence[Shard], make: Callable[[Shard], Arrays], advance: Callable[[int], None]
    ) -> list[Path]:
        """Make what is missing, in order, and tell ``advance`` how many rows are done. Returns the paths of all."""
        for shard in shards:
            if not self.holds(shard):
                self.write(shard, make(shard))
            advance(len(shard.rows))
        return [self.path(shard) for shard in shards]

    def borrow(self, lender: Path, shards: Iterable[Shard]) -> None:
        """Take over from another folder, without copying where the disk allows it, what is missing here."""
        other_store = ShardStore(lender, self.key)
        for shard in self.missing(shards):
            if other_store.holds(shard):
                link_or_copy(other_store.path(shard), self.path(shard))

    def discard_others(self, shards: Iterable[Shard], *patterns: str) -> None:
        """Delete the files named like ``patterns`` that are none of these shards, or answer another question."""
        valid = {self.path(shard) for shard in shards if self.holds(shard)}
        for pattern in patterns:
            for path in set(self.folder.glob(f"{pattern}{SUFFIX}")) - valid:
                path.unlink()

    def _key_of(self, shard: Shard) -> str:
        return value_digest(self.key, shard.content, shard.rows.tolist())


def divide(
    rows: NDArray[np.integer], size: int, name: Callable[[int], str], contents: Sequence[str] = ()
) -> list[Shard]:
    """Divide ``rows`` into shards of ``size``, the last one smaller, named by their number.

    ``contents`` tell what each row is, an image's SHA-256 for example, by the row's number.

    >>> [(shard.name, shard.rows.tolist()) for shard in divide(np.arange(5), 2, "part-{}".format)]
    [('part-0', [0, 1]), ('part-1', [2, 3]), ('part-2', [4])]
    """
    return [
        Shard(name(number), part, value_digest([contents[row] for row in part.tolist()]) if len(contents) else "")
        for number, part in enumerate(_parts(rows, size))
    ]


def _parts(rows: NDArray[np.integer], size: int) -> Iterator[NDArray[np.integer]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
