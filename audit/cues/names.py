"""Names that reviewers gave to looks and clusters, which the audit itself can only number."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from audit.cues.cue_table import load_cues
from audit.detectors.cue import Cue
from audit.errors import ConfigError
from audit.records import Record
from audit.store.audit_folder import AuditFolder, read_records, write_records
from audit.text import capital, nearest, printable

MOST = 80
_NAMEABLE = ("appearance", "cluster")


class GivenName(Record):
    """A name for a look or a cluster of one audit, by whom and when; ``own_words`` are the audit's for it."""

    cue: str
    words: str
    own_words: str
    by: str
    on: str = Field(description="ISO 8601, UTC")


def read_names(folder: AuditFolder) -> Sequence[GivenName]:
    """The names in an audit folder, none where nobody gave one. Raises AuditFolderError for a damaged file."""
    return read_records(folder.names, GivenName) if folder.names.exists() else ()


def give_name(folder: AuditFolder, cue: str, words: str, by: str) -> GivenName:
    """Write down a name for a look or a cluster, in the place of an earlier one of it; ``cue`` as in audit.json.

    ``hair-look-1`` means ``hair look 1``. Raises ConfigError for a cue that there is not, or that has words already,
    and for a name that is empty or longer than MOST characters.
    """
    named = _nameable(cue, load_cues(folder).cues)
    words, by = (printable(" ".join(text.split())) for text in (words, by))
    if not 0 < len(words) <= MOST or len(by) > MOST:
        raise ConfigError(f"A name has 1 to {MOST} characters, and so has its author; '{words}' has {len(words)}.")
    on = datetime.now(UTC).isoformat(timespec="seconds")
    given = GivenName(cue=named.name, words=words, own_words=named.words, by=by, on=on)
    write_records(folder.names, [*(name for name in read_names(folder) if name.cue != named.name), given])
    return given


def carry_names(former: AuditFolder, folder: AuditFolder, counterparts: Mapping[str, str]) -> None:
    """Take over a former audit's names, where this one has none; ``counterparts`` are former names by present ones.

    Raises AuditFolderError when a file of either audit is missing or damaged.
    """
    if folder.names.exists():
        return
    names = {name.cue: name for name in read_names(former)}
    words = {cue.name: cue.words for cue in load_cues(folder).cues}
    carried = [
        names[then].model_copy(update={"cue": now, "own_words": words[now]})
        for now, then in counterparts.items()
        if then in names
    ]
    if carried:
        write_records(folder.names, carried)


def renamed(content: Any, names: Sequence[GivenName]) -> Any:
    """Plain JSON content with given names in the place of the audit's own words, wherever a text holds these.

    >>> name = GivenName(cue="a", words="tied hair", own_words="one look of the hair", by="", on="")
    >>> renamed({"x": ["One look of the hair differs."]}, [name])
    {'x': ['Tied hair differs.']}
    """
    if isinstance(content, str):
        for name in names:
            content = content.replace(name.own_words, name.words)
            content = content.replace(capital(name.own_words), capital(name.words))
        return content
    if isinstance(content, Mapping):
        return {key: renamed(value, names) for key, value in content.items()}
    return [renamed(value, names) for value in content] if isinstance(content, list | tuple) else content


def _nameable(name: str, cues: Sequence[Cue]) -> Cue:
    nameable = {cue.name.replace(" ", "-"): cue for cue in cues if cue.kind in _NAMEABLE}
    if cue := nameable.get(name.replace(" ", "-")):
        return cue
    if name in {cue.name for cue in cues}:
        raise ConfigError(f"'{name}' has words already; names are for looks and clusters, which have only numbers.")
    raise ConfigError(f"This audit has no look or cluster '{name}'; the nearest is '{nearest(name, nameable)}'.")
