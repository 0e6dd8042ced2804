"""The audit folder: where each file lives, how files are written, and how a finished stage is recognised."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from audit.errors import AuditFolderError
from audit.records import JsonObject, Record
from audit.store.private import USER_ONLY, make_private, open_own, private_files

SCHEMA_VERSION: Literal[2] = 2
# What these held was called and meant the same, so that their files can still be read.
OLDER_VERSIONS = (1,)

Kept = TypeVar("Kept", bound=Record)
Parsed = TypeVar("Parsed")

_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())


class _Inside:
    """Descriptor: a file or folder of the audit, by its fixed name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, folder: "AuditFolder", owner: type | None = None) -> Path:
        return folder.path / self.name


@dataclass(frozen=True)
class AuditFolder:
    """Paths of one audit. Stages read and write only through these names."""

    path: Path

    config = _Inside("config.yaml")
    dataset = _Inside("dataset.json")
    images = _Inside("images.parquet")
    detections = _Inside("detections")
    cache = _Inside("cache")
    model = _Inside("model")
    training = _Inside("training.parquet")
    explain = _Inside("explain")
    predictions = _Inside("predictions.parquet")
    sanity = _Inside("sanity.json")
    names = _Inside("names.json")
    regions = _Inside("regions.parquet")
    clusters = _Inside("clusters.parquet")
    cluster_list = _Inside("clusters.json")
    cues = _Inside("cues.parquet")
    cue_list = _Inside("cues.json")
    looks = _Inside("looks.json")
    masking = _Inside("masking.parquet")
    equalised = _Inside("equalised.parquet")
    evidence = _Inside("evidence.parquet")
    probe_scores = _Inside("probe-scores.parquet")
    findings = _Inside("findings.json")
    learning_curve = _Inside("learning-curve.json")
    self_audit = _Inside("self-audit.json")
    plan = _Inside("plan")
    picked = _Inside("picked")
    record = _Inside("audit.json")
    report = _Inside("report.html")
    manifest = _Inside("manifest.json")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def stage_record(self, stage: str) -> Path:
        """The file of a finished stage's record."""
        return self.path / "stages" / f"{stage}.json"

    def relative(self, path: Path) -> str:
        """``path`` as written into records: POSIX, relative to the folder."""
        return path.relative_to(self.path).as_posix()

    def require_finished(self) -> None:
        """Raise AuditFolderError unless the audit is finished: its manifest is written last."""
        if not self.manifest.exists():
            raise AuditFolderError(
                f"{self.path}: no finished audit (it has no manifest.json); finish it with 'bias-audit run', or in "
                "Python with Audit.run, given the same photographs and settings."
            )

    def _require_no_links(self) -> None:
        """What is written into an audit stays in it, also where somebody else prepared the folder."""
        for path, folders, _ in os.walk(self.path):
            for name in folders:
                if (link := Path(path, name)).is_symlink():
                    raise AuditFolderError(
                        f"{link}: a link to another folder, into which nothing is written; put the folder itself there."
                    )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises AuditFolderError if another one has it, or if it leads elsewhere.

        It shows images of people: what lies in it, and what the block writes anywhere, only the user may read. May
        be nested: whoever holds the folder already keeps it.
        """
        if self.path in _held.get():
            yield
            return
        self.path.mkdir(mode=USER_ONLY, parents=True, exist_ok=True)
        self._require_no_links()
        with private_files(), _open_lock(self.path / ".lock") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise AuditFolderError(f"{self.path}: another run is working here; wait for it or stop it.") from None
            make_private(self.path)
            token = _held.set(_held.get() | {self.path})
            try:
                yield
            finally:
                _held.reset(token)


def _open_lock(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(open_own(path, os.O_RDWR), "r+b")
    except OSError as error:
        raise AuditFolderError(f"{path}: cannot be opened for writing ({error.strerror}); delete it.") from None


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a file beside ``path``, then rename it into place, so that no half-written file is seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes atomically."""
    write_atomically(path, lambda aside: _fill(aside, content))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; refuses NaN and infinities, which are not JSON."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """JSON as every file has it; refuses NaN and infinities, which are not JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Read a JSON file of the audit. Raises AuditFolderError when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AuditFolderError(f"{path}: missing; run the audit again to make it.") from None
    except ValueError:
        raise AuditFolderError(f"{path}: damaged; delete it and run the audit again.") from None


def write_record(path: Path, record: Record) -> None:
    """Write a record as JSON, atomically."""
    write_json(path, record.tree())


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write several as a JSON list, atomically."""
    write_json(path, [record.tree() for record in records])


def write_schema(file: Path, schema: JsonObject) -> Path:
    """Write the JSON Schema of a file, under the file's name, beside it; return its path."""
    path = file.with_suffix(".schema.json")
    write_json(path, schema)
    return path


def read_record(path: Path, kind: type[Kept]) -> Kept:
    """Read a record of the audit. Raises AuditFolderError when it is missing, or is none of that ``kind``."""
    return _parse(path, read_json(path), kind)


def read_records(path: Path, kind: type[Kept]) -> tuple[Kept, ...]:
    """Read a list of records of the audit. Raises AuditFolderError when it is missing, or is none of that ``kind``."""
    return _parse(path, read_json(path), tuple[kind, ...])  # type: ignore[valid-type]


def read_published(path: Path, kind: type[Kept]) -> Kept:
    """Read a file that other programs read, too, and whose ``schema_version`` may be an older one.

    Raises AuditFolderError when it is missing, damaged, or of a version that is not known here.
    """
    tree = read_json(path)
    version = tree.get("schema_version") if isinstance(tree, dict) else None
    if version in OLDER_VERSIONS:
        tree = {**tree, "schema_version": SCHEMA_VERSION}
    elif isinstance(version, int) and version != SCHEMA_VERSION:
        raise AuditFolderError(
            f"{path}: written by another version of bias-audit (schema_version {version}, known here: "
            f"{OLDER_VERSIONS[0]} to {SCHEMA_VERSION}); update bias-audit, or run the audit again."
        )
    return _parse(path, tree, kind)


def _parse(path: Path, tree: Any, kind: type[Parsed]) -> Parsed:
    """JSON types as a record, or as a list of them."""
    try:
        # From text, since that alone knows lists from tuples where types are strict.
        return TypeAdapter(kind).validate_json(json.dumps(tree))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the whole"
        raise AuditFolderError(
            f"{path}: damaged, or left by another version of bias-audit ({where}: {problem['msg'].lower()}); run the "
            "audit again to make it."
        ) from None


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a Parquet file atomically, without the index."""
    write_atomically(path, lambda aside: table.to_parquet(aside, index=False))


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that will never be written to again a second name, or copy it where the disk knows no links."""

    def copy(aside: Path) -> None:
        shutil.copyfile(source, aside)

    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.unlink(missing_ok=True)
        target.hardlink_to(source)
    except OSError:
        write_atomically(target, copy)


def read_table(path: Path) -> pd.DataFrame:
    """Read a Parquet file of the audit. Raises AuditFolderError when it is missing."""
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise AuditFolderError(f"{path}: missing; run the audit again to make it.") from None


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def value_digest(*values: Any) -> str:
    """SHA-256 of plain values (JSON types and paths), in hexadecimal; equal values give equal digests."""
    text = json.dumps(values, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digests(folder: AuditFolder, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by its path relative to the audit folder, sorted."""
    return {folder.relative(path): file_digest(path) for path in sorted(paths)}
