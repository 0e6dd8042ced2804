"""Records: what was published as version 1 stays true, and files are refused that hold anything else."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

import audit
from audit.errors import AuditFolderError
from audit.findings.audit_json import AuditRecord, read_audit
from audit.findings.schemas import SCHEMAS, schema_text
from audit.findings.verification_json import Verification, read_verification
from audit.measures.figures import Share
from audit.store.audit_folder import AuditFolder, read_json, read_record, read_records, write_json, write_record
from tests.bare_records import bare_finding
from tests.report_folder import Wish, make_audit
from tests.schema_facts import facts

PUBLISHED = Path(__file__).with_name("published")
RECORDS = {"audit": AuditRecord, "verification": Verification}
# What version 2 says otherwise than version 1, and why.
DELIBERATE = {
    # The version itself.
    ("audit", "schema_version", "values"),
    ("verification", "schema_version", "values"),
    # Its type is said beside the value.
    ("audit", "schema_version", "types"),
    ("verification", "schema_version", "types"),
    # Learning curves are drawn since version 2.
    ("audit", "", "required"),
    # Photographs of a single colour are listed since version 2.
    ("audit", "dataset", "required"),
    # Facts of the file are a kind of their own.
    ("audit", "cues[].kind", "values"),
    ("audit", "findings[].cue_kind", "values"),
    # The interval was always written and is promised now.
    ("audit", "model.balanced[]", "required"),
    # False alarms are counted for the data and the model apart since version 2.
    ("audit", "self_audit.null", "required"),
    # Marks are tried in several forms of a kind, and of more kinds, since version 2.
    ("audit", "self_audit.power", "required"),
    ("audit", "self_audit.power.marks[]", "required"),
    ("audit", "self_audit.power.marks[].kind", "values"),
}
# It was published for every measured value, but nothing is tested there and it was never written.
GONE = {("audit", "cues[].attention{}.p_adjusted")}


def published(name: str) -> dict[str, Any]:
    """The schema that was written by hand for version 1."""
    return json.loads((PUBLISHED / f"{name}-1.schema.json").read_text(encoding="utf-8"))


def plain(text: str) -> str:
    return " ".join(text.replace("``", "").split()).rstrip(".").casefold()


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_promise_what_version_1_promised(name):
    old, new = facts(published(name)), facts(json.loads(schema_text(name)))
    assert {(name, place) for place in old.keys() - new.keys()} == {one for one in GONE if one[0] == name}
    differing = {
        (name, place, said)
        for place in old.keys() & new.keys()
        for said in old[place].keys() | new[place].keys()
        if said != "descriptions" and old[place].get(said) != new[place].get(said)
    }
    assert differing == {one for one in DELIBERATE if one[0] == name}
    assert all(old[place]["required"] <= new[place]["required"] for place in old.keys() & new.keys())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_description_of_version_1_is_still_there(name):
    """At its place, or at a part of it: of all measured values it is said at their value."""
    old, new = facts(published(name)), facts(json.loads(schema_text(name)))
    for place, said in old.items():
        here = [plain(text) for at, one in new.items() if at.startswith(place) for text in one["descriptions"]]
        missing = [text for text in said["descriptions"] if not any(plain(text) in found for found in here)]
        assert not missing, (place, missing)


def drop(tree: Any, path: tuple[Any, ...]) -> Any:
    """A copy without one key."""
    changed = copy.deepcopy(tree)
    inside = changed
    for step in path[:-1]:
        inside = inside[step]
    del inside[path[-1]]
    return changed


def keys_of(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every key of every object; of a list the first entry stands for all."""
    if isinstance(tree, dict):
        return [one for key, value in tree.items() for one in [(*path, key), *keys_of(value, (*path, key))]]
    return keys_of(tree[0], (*path, 0)) if isinstance(tree, list) and tree else []


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    """Documents that follow the schemas, from full ones to empty ones."""
    wishes = (Wish(), Wish(n=12, files=6, findings=3, clusters=0), Wish(findings=1, severities=("medium",)))
    found: dict[str, list[dict[str, Any]]] = {"audit": [], "verification": []}
    for number, wish in enumerate(wishes):
        folder = make_audit(tmp_path_factory.mktemp(f"made-{number}"), wish)
        found["audit"].append(read_json(folder.record))
        found["verification"] += [read_json(path) for path in folder.path.glob("verification/*/verification.json")]
    assert len(found["verification"]) >= 4
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_written_follows_both_versions(name, documents):
    for tree in documents[name]:
        written = RECORDS[name].model_validate_json(json.dumps(tree)).tree()
        assert written == tree
        jsonschema.validate(written, json.loads(schema_text(name)))
        jsonschema.validate(written | {"schema_version": 1}, published(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_version_1_missed_version_2_misses(name, documents):
    """Every key of a document is taken out in turn: where the old schema misses it, the new one does."""
    old, new = (jsonschema.Draft202012Validator(one) for one in (published(name), json.loads(schema_text(name))))
    tree, missed = min(documents[name], key=lambda one: len(json.dumps(one))), 0
    for path in keys_of(tree):
        if path[0] == "config":
            continue
        spoiled = drop(tree, path)
        if not old.is_valid(spoiled | {"schema_version": 1} if path != ("schema_version",) else spoiled):
            missed += 1
            assert not new.is_valid(spoiled), path
    assert missed > {"audit": 180, "verification": 50}[name]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_the_package_are_those_that_are_written_beside_the_files(name):
    place = Path(audit.__file__).parent.joinpath("findings", f"{name}.schema.json")
    assert place.read_text(encoding="utf-8") == schema_text(name), "write them anew: python -m audit.findings.schemas"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text(name)))


def test_further_keys_may_appear_but_where_none_ever_will(documents):
    schema = json.loads(schema_text("audit"))
    tree = copy.deepcopy(documents["audit"][0])
    tree["findings"][0]["added_later"] = 1
    jsonschema.validate(tree, schema)
    next(cue for cue in tree["cues"] if cue["text"])["text"][0]["added_later"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tree, schema)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.5", None, True])
def test_what_is_no_figure_is_refused(value):
    with pytest.raises(ValidationError):
        Share(value=value, low=0.1, high=0.9, n=10)


def test_a_record_is_frozen_and_knows_its_keys():
    share = Share(value=0.5, low=0.1, high=0.9, n=10)
    with pytest.raises(ValidationError):
        share.value = 0.6
    with pytest.raises(ValidationError):
        Share(value=0.5, low=0.1, high=0.9, n=10, p=0.1)


def test_a_field_that_nobody_gave_is_not_written(tmp_path):
    finding = bare_finding()
    path = tmp_path / "finding.json"
    write_record(path, finding)
    assert "rest" not in read_json(path)["evidence"]["leakage"] and read_json(path)["class"] == "nurse"
    assert read_record(path, type(finding)) == finding
    write_json(path, [read_json(path)] * 2)
    assert read_records(path, type(finding)) == (finding, finding)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 3}, "schema_version 3, known here: 1 to 2"),
        ({"schema_version": "2"}, "schema_version"),
        ({"schema_version": None}, "schema_version"),
        ({"limits": "none"}, "limits: input should be a valid array"),
        ({"surprise": 1}, "surprise: extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path, change, told):
    folder = make_audit(tmp_path, Wish(n=12, files=4, findings=1, clusters=1, verified=()))
    write_json(folder.record, read_json(folder.record) | change)
    with pytest.raises(AuditFolderError) as error:
        read_audit(folder)
    message = str(error.value)
    assert told in message and message.startswith(f"{folder.record}: ") and "run the audit again" in message
    assert message.count("\n") == 0


def test_a_file_that_is_no_object_is_told(tmp_path):
    folder = AuditFolder(tmp_path)
    write_json(folder.record, [1, 2])
    with pytest.raises(AuditFolderError, match="damaged"):
        read_audit(folder)


def test_version_1_is_read_as_it_was_written(tmp_path):
    folder = make_audit(tmp_path, Wish(n=12, files=4, findings=2, clusters=1))
    now, verified = read_audit(folder), read_verification(folder, "weight")
    for path in (folder.record, folder / "verification" / "weight" / "verification.json"):
        write_json(path, read_json(path) | {"schema_version": 1})
    assert read_audit(folder) == now and read_verification(folder, "weight") == verified
