"""From a pool of drawn pictures those that an audit ordered are picked, and nothing else of the pool is believed."""

import csv
import os
import re
import shutil
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from audit.attributes import registry
from audit.attributes.attribute import Attribute
from audit.config import load_config
from audit.data.dataset import load_dataset
from audit.detection import cache
from audit.detectors.marks.patch import PatchDetector
from audit.errors import AuditFolderError, ChangedImage, ConfigError, DatasetError, OutputError
from audit.plan.picking.pick import pick
from audit.plan.picking.picked_json import read_picked
from audit.progress import Silence, reporting_to
from audit.store.audit_folder import AuditFolder, read_json, write_json
from audit.verification.verify import prepare
from flows.cli import app
from reports.picked import render_picked
from tests.planted import STICKER, draw_dataset, draw_picture, finished_audit, tiny_config

BLUE = Attribute("blue_corner", "a blue corner", "a plain corner", "", 0.5, "the corner is blue", "corner")


class Corner:
    """How blue the corner is where pictures have their sticker; of those with a 9 in their names nothing is told."""

    name, attributes, models, keepable, version = "corner", (BLUE,), (), True, 1

    def measure(self, photo):
        if "9" in photo.path:
            return {}
        red, _, blue = photo.pixels[4:15, 4:15].reshape(-1, 3).mean(0)
        return {"blue_corner": float(np.clip((blue - red) / 200, 0, 1))}


class Notes(Silence):
    def __init__(self):
        self.told, self.looked = [], 0
        self._task = ""

    def started(self, task, total, unit):
        self._task = task

    def advanced(self, count):
        self.looked += count * (self._task == "looking for cues")

    def note(self, message):
        self.told.append(message)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An audit in which a blue corner leans 90 to 10 %, told by the reader above; no detector's cue is looked for."""
    root = tmp_path_factory.mktemp("picking")
    manifest = draw_dataset(root / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "READERS", (Corner,))
        patch.setattr(cache, "store_path", lambda: root / "answers.sqlite")
        dataset = {"manifest": str(manifest), "attributes": []}
        yield finished_audit(root / "audit", tiny_config(manifest, cues=["border"], dataset=dataset))


@pytest.fixture
def audit(audited, tmp_path):
    """A copy of that audit, since picking leaves its record there; only what the reader tells is ordered."""
    shutil.copytree(audited.path, tmp_path / "audit")
    audit = AuditFolder(tmp_path / "audit")
    change_plan(audit, lambda cells: cells.__setitem__(slice(None), [*map(without_clusters, fillable(cells))]))
    return audit


def change_plan(audit: AuditFolder, change) -> None:
    """Let ``change`` do something to the orders of an audit."""
    plan = read_json(audit.plan / "plan.json")
    change(plan["ways"]["collect"]["cells"])
    write_json(audit.plan / "plan.json", plan)


def fillable(cells: list[dict]) -> list[dict]:
    """The largest order of each class."""
    ordered = sorted(cells, key=lambda cell: (cell["class"], -cell["ask"]))
    return [next(cell for cell in ordered if cell["class"] == label) for label in ("disc", "square")]


def without_clusters(cell: dict) -> dict:
    """An order for what the reader tells alone."""
    (state,) = [one for one in cell["cues"] if one["cue"] == BLUE.name]
    return {**cell, "cues": [state], "state": state["words"]}


def draw_pool(root: Path, name: str, each: int = 8, seed: int = 7) -> dict[str, tuple[str, bool]]:
    """Discs and squares with and without the sticker; the truth of each by its path. ``name`` has class and number."""
    rng, truth = np.random.default_rng(seed), {}
    for number, (label, marked) in enumerate([(one, two) for one in ("disc", "square") for two in (0, 1)] * each):
        path = name.format(label=label, number=f"{number:03d}".replace("9", "x"))
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        draw_picture(label, bool(marked), rng).save(root / path)
        truth[path] = label, bool(marked)
    return truth


def rows_of(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_of_a_pool_in_class_folders_just_what_was_ordered_is_picked(audit, tmp_path):
    truth = draw_pool(tmp_path / "pool", "{label}/{number}.png")
    picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert {(order.label, order.state) for order in picked.orders} == {
        ("disc", "with a plain corner"),
        ("square", "with a blue corner"),
    }
    for order in picked.orders:
        wanted = (order.label, order.state == "with a blue corner")
        paths = [photo.path for photo in order.photographs]
        assert sorted(paths) == sorted(path for path, one in truth.items() if one == wanted)
        assert order.fitting == 8 and [photo.rank for photo in order.photographs] == list(range(1, 9))
        assert all(photo.reasons[0] == f"said to be {order.label}" for photo in order.photographs)
    assert (picked.files, picked.labelled, picked.guessed, picked.refused) == (32, 32, 0, ())


def test_the_surest_come_first_and_never_more_than_ordered(audit, tmp_path):
    rng = np.random.default_rng(3)
    (tmp_path / "pool" / "square").mkdir(parents=True)
    shuffled = rng.permutation(np.linspace(0.55, 1, 45)).tolist()
    strengths = {f"{number:02d}".replace("9", "x"): strength for number, strength in enumerate(shuffled)}
    for name, strength in strengths.items():
        picture = draw_picture("square", False, rng)
        colour = tuple(int(128 + strength * (value - 128)) for value in STICKER)
        picture.paste(colour, (3, 3, 16, 16))
        picture.save(tmp_path / "pool" / "square" / f"{name}.png")
    order = next(one for one in pick(audit, tmp_path / "pool", tmp_path / "p.csv").orders if one.label == "square")
    assert len(order.photographs) == order.ask < order.fitting == 45
    values = [strengths[Path(photo.path).stem] for photo in order.photographs]
    assert values == sorted(strengths.values(), reverse=True)[: order.ask]


def test_what_cannot_be_told_of_a_photograph_fits_no_order(audit, tmp_path):
    rng = np.random.default_rng(4)
    (tmp_path / "pool" / "square").mkdir(parents=True)
    for name in ("9", "19", "1"):
        draw_picture("square", True, rng).save(tmp_path / "pool" / "square" / f"{name}.png")
    picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert [photo.path for order in picked.orders for photo in order.photographs] == ["square/1.png"]


def test_unknown_classes_are_guessed_and_said_to_be_guesses(audit, tmp_path):
    truth = draw_pool(tmp_path / "pool", "a/b/{number}.png", each=4) | draw_pool(
        tmp_path / "pool", "{number}.png", 4, 8
    )
    notes = Notes()
    with reporting_to(notes):
        picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert picked.guessed == 32 and picked.labelled == 0
    assert any("No class of the audit is called 'a'" in told for told in notes.told)
    photographs = [(order, photo) for order in picked.orders for photo in order.photographs]
    assert photographs and all(photo.probability >= 0.5 and photo.said is not None for _, photo in photographs)
    assert all(truth[photo.path][1] == (order.state == "with a blue corner") for order, photo in photographs)
    assert all("guessed to be" in photo.reasons[0] and "to be checked" in photo.reasons[0] for _, photo in photographs)
    # The models answer by the corner alone: but for the correction, no order would find a single photograph.
    assert {order.label for order, _ in photographs} == {"disc", "square"}


def test_copies_broken_files_and_links_are_refused_in_a_sentence_each(audit, tmp_path):
    pool, root = tmp_path / "pool", load_dataset(audit).root
    draw_pool(pool, "{label}/{number}.png", each=1)
    shutil.copy(root / "square" / "003.png", pool / "square" / "same.png")
    Image.open(root / "disc" / "007.png").resize((60, 60), Image.Resampling.BICUBIC).save(
        pool / "disc" / "again.jpg", quality=95
    )
    shutil.copy(pool / "disc" / "000.png", pool / "disc" / "twice.png")
    (pool / "disc" / "broken.png").write_bytes(b"no picture")
    (pool / "disc" / "cut.png").write_bytes((root / "disc" / "001.png").read_bytes()[:700])
    Image.new("RGB", (20, 20)).save(pool / "disc" / "small.png")
    (pool / "away.png").symlink_to(root / "disc" / "002.png")
    picked = pick(audit, pool, tmp_path / "picked.csv")
    reasons = {one.path: one.reason for one in picked.refused}
    assert reasons["square/same.png"] == "a copy of square/003.png, which the audit has"
    assert reasons["disc/again.jpg"] == "a copy of disc/007.png, which the audit has"
    assert reasons["disc/twice.png"] == "a copy of disc/000.png, which the pool has as well"
    assert "not an image that can be read" in reasons["disc/broken.png"]
    assert "too small" in reasons["disc/small.png"] and "truncated" in reasons["disc/cut.png"]
    assert reasons["away.png"] == "a link that leads outside the folder"
    assert len(reasons) == 7 and picked.copies == 2 and picked.files == 11


HOSTILE = ("=1+1.png", "a,b\"c'.png", "new\nline.png", "<script>alert(1)<", "-rf.png", "\u202egnp.png", "'; rm.png")


def test_hostile_names_harm_neither_table_nor_page_nor_copies(audit, tmp_path):
    rng, pool = np.random.default_rng(11), tmp_path / "pool"
    (pool / "square").mkdir(parents=True)
    for name in HOSTILE:
        draw_picture("square", True, rng).save(pool / "square" / name, "PNG")
    picked = pick(audit, pool, tmp_path / "picked.csv", tmp_path / "copies")
    assert picked.found == len(HOSTILE)
    rows = rows_of(tmp_path / "picked.csv")
    assert {row["path"] for row in rows} == {f"{pool}/square/{name}" for name in HOSTILE}
    copies = sorted((tmp_path / "copies").rglob("*.png"))
    assert len(copies) == len(HOSTILE) and all(re.fullmatch(r"[\w.' -]+", path.name) for path in copies)
    assert sorted(path.read_bytes() for path in copies) == sorted(
        (pool / "square" / name).read_bytes() for name in HOSTILE
    )
    page = render_picked(audit, tmp_path / "picked.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "\u202e" not in page and page.count("<script") == 1


def test_a_name_that_is_no_unicode_is_refused(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    name = os.fsencode(tmp_path / "pool" / "disc") + b"/\xff.png"
    shutil.copy(tmp_path / "pool" / "disc" / "000.png", os.fsdecode(name))
    (refused,) = pick(audit, tmp_path / "pool", tmp_path / "picked.csv").refused
    assert "not valid Unicode" in refused.reason


def test_verify_takes_the_table_wherever_it_lies(audit, tmp_path):
    draw_pool(tmp_path / "far" / "pool", "{label}/{number}.png")
    (tmp_path / "here").mkdir()
    table = tmp_path / "here" / "picked.csv"
    picked = pick(audit, tmp_path / "far" / "pool", table)
    rows = rows_of(table)
    assert list(rows[0]) == ["path", "label", "order", "rank", "reasons"] and len(rows) == picked.found == 16
    # Somebody looks at them and deletes a row.
    table.write_bytes(b"".join(table.read_bytes().splitlines(keepends=True)[:-1]))
    work = prepare(audit, load_config(audit.config), "collect", table)
    joined = load_dataset(work).images
    assert len(joined) == 80 + 15
    assert joined["path"].tolist()[80:] == sorted(row["path"] for row in rows[:-1])
    assert joined["label"].tolist()[80:] == [row["label"] for row in sorted(rows[:-1], key=lambda row: row["path"])]
    assert read_json(audit / "verification" / "collect" / "setup.json")["refused"] == []


def test_a_table_leads_nowhere_but_into_pools_that_were_picked_from(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    draw_pool(tmp_path / "other", "{label}/{number}.png", each=1, seed=8)
    table = tmp_path / "picked.csv"
    pick(audit, tmp_path / "pool", table)
    paths = [tmp_path / "other" / "disc" / "000.png", f"{tmp_path}/pool/../other/disc/001.png"]
    with table.open("a", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerows([(path, "disc", "", "", "") for path in paths])
    prepare(audit, load_config(audit.config), "collect", table)
    refused = read_json(audit / "verification" / "collect" / "setup.json")["refused"]
    assert len(refused) == 2 and all("leads outside the image root" in one["reason"] for one in refused)


def test_a_class_called_like_a_formula_can_still_be_verified(tmp_path, audit):
    from audit.data.extra_images import unquoted

    assert unquoted("'=disc", ["=disc"]) == "=disc" and unquoted("'disc", ["'disc", "disc"]) == "'disc"


def test_copies_lie_in_class_folders_and_nothing_is_overwritten(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=2)
    picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv", tmp_path / "new")
    copied = {path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*.png")}
    assert copied == {photo.path for order in picked.orders for photo in order.photographs}
    with pytest.raises(OutputError, match=r"not an empty folder; choose another --copy-to"):
        pick(audit, tmp_path / "pool", tmp_path / "picked.csv", tmp_path / "new")


def test_the_same_pool_gives_the_same_files_and_nobody_is_asked_again(audit, tmp_path, monkeypatch):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=3)
    pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    page = render_picked(audit, tmp_path / "picked.html").read_bytes()
    table = (tmp_path / "picked.csv").read_bytes()

    def refuse(self, photo):
        raise AssertionError("asked again")

    monkeypatch.setattr(Corner, "measure", refuse)
    pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert (tmp_path / "picked.csv").read_bytes() == table
    assert render_picked(audit, tmp_path / "picked.html").read_bytes() == page


def test_an_interrupted_picking_goes_on_where_it_stopped(audit, tmp_path, monkeypatch):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=10, seed=21)
    asked, measure = [], Corner.measure

    def interrupted(self, photo):
        if len(asked) == 30:
            raise KeyboardInterrupt
        asked.append(photo.path)
        return measure(self, photo)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Corner, "measure", interrupted)
        pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert not (tmp_path / "picked.csv").exists()
    notes, before = Notes(), list(asked)

    def counted(self, photo):
        asked.append(photo.path)
        return measure(self, photo)

    monkeypatch.setattr(Corner, "measure", counted)
    with reporting_to(notes):
        assert pick(audit, tmp_path / "pool", tmp_path / "picked.csv").found == 20
    assert notes.looked == 40
    assert set(before) | set(asked[30:]) == set(asked) and len(asked) - 30 <= 40 - 16


def test_nothing_is_written_among_the_pool_nor_over_what_somebody_made(audit, tmp_path):
    pool = tmp_path / "pool"
    draw_pool(pool, "{label}/{number}.png", each=1)
    before = sorted(pool.rglob("*"))
    for out in (
        pool / "picked.csv",
        pool / "disc" / "p.csv",
        load_dataset(audit).root / "disc" / "p.csv",
        audit / "p.csv",
    ):
        with pytest.raises(OutputError):
            pick(audit, pool, out)
    with pytest.raises(OutputError, match="does not end in"):
        pick(audit, pool, tmp_path / "picked.txt")
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(OutputError, match="was not written by this command or was changed since"):
        pick(audit, pool, tmp_path / "mine.csv")
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(OutputError, match=r"page\.html: is there already"):
        pick(audit, pool, tmp_path / "page.csv")
    pick(audit, pool, tmp_path / "picked.csv")
    with (tmp_path / "picked.csv").open("a") as table:
        table.write("a note of mine")
    with pytest.raises(OutputError, match="was changed since"):
        pick(audit, pool, tmp_path / "picked.csv")
    assert sorted(pool.rglob("*")) == before and (tmp_path / "mine.csv").read_text() == "mine"


def test_a_manifest_is_a_pool_and_is_not_written_over(audit, tmp_path):
    truth = draw_pool(tmp_path / "pool", "{number}.png", each=2)
    manifest = tmp_path / "pool" / "list.csv"
    with manifest.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows([("path", "label"), *((path, label) for path, (label, _) in truth.items())])
    picked = pick(audit, manifest, tmp_path / "picked.csv")
    assert picked.labelled == 8 and picked.found == 4
    with pytest.raises(OutputError, match="only read"):
        pick(audit, manifest, manifest)
    manifest.write_text("path,label\n000.png,triangle\n")
    with pytest.raises(DatasetError, match="no class 'triangle'"):
        pick(audit, manifest, tmp_path / "picked.csv")


def test_what_is_wrong_is_said(audit, audited, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no photographs in it"):
        pick(audit, tmp_path / "empty", tmp_path / "picked.csv")
    with pytest.raises(DatasetError, match="no such folder"):
        pick(audit, tmp_path / "gone", tmp_path / "picked.csv")
    with pytest.raises(DatasetError, match="lies in the audit"):
        pick(audit, audited.path / "explain", tmp_path / "picked.csv")
    draw_pool(tmp_path / "around", "{label}/{number}.png", each=1)
    shutil.copytree(audit.path, tmp_path / "around" / "audit")
    with pytest.raises(DatasetError, match="the audit lies in this folder"):
        pick(AuditFolder(tmp_path / "around" / "audit"), tmp_path / "around", tmp_path / "picked.csv")
    with pytest.raises(AuditFolderError, match="no finished audit"):
        pick(AuditFolder(tmp_path / "empty"), tmp_path / "around", tmp_path / "picked.csv")


def test_an_audit_without_orders_has_nothing_to_pick(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    change_plan(audit, lambda cells: cells.clear())
    with pytest.raises(ConfigError, match="orders no photographs"):
        pick(audit, tmp_path / "pool", tmp_path / "picked.csv")


def test_an_older_audit_is_told_apart(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    change_plan(audit, lambda cells: [cell.pop("cues") for cell in cells])
    with pytest.raises(AuditFolderError, match="older version"):
        pick(audit, tmp_path / "pool", tmp_path / "picked.csv")


def test_an_order_that_asks_for_a_look_is_left_and_the_others_are_filled(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=2)
    cues = read_json(audit.cue_list)
    kinds = {"hair look 1": "appearance", "cluster 1": "cluster", "file.format": "file"}
    write_json(audit.cue_list, [*cues, *({**cues[0], "name": name, "kind": kind} for name, kind in kinds.items())])
    for name, reason in {
        **kinds,
        "hair look 1": "look of a part",
        "cluster 1": "comparing",
        "file.format": "property of the file",
    }.items():

        def ask(cells, name=name):
            cells[0]["cues"] = [{"cue": name, "present": True, "words": "with it"}]

        change_plan(audit, ask)
        notes = Notes()
        with reporting_to(notes):
            picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
        left, *others = picked.orders
        assert reason in left.unfillable and left.photographs == ()
        assert sum(len(order.photographs) for order in others) == picked.found == 2
        assert any("No pool can fill" in told and reason in told for told in notes.told)


def test_where_every_order_asks_for_a_cluster_the_rest_of_them_is_filled(audited, tmp_path):
    """The plan as the audit made it: a cluster of attention on the sticker leans as the blue corner does."""
    shutil.copytree(audited.path, tmp_path / "audit")
    audit = AuditFolder(tmp_path / "audit")
    truth = draw_pool(tmp_path / "pool", "{label}/{number}.png", each=4)
    notes = Notes()
    with reporting_to(notes):
        picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    joint = [order for order in picked.orders if order.unfillable]
    rest = [order for order in picked.orders if not order.unfillable]
    assert len(joint) >= 2 and all("comparing" in order.unfillable for order in joint)
    assert sum(order.ask for order in rest) == sum(order.ask for order in joint) == picked.ordered
    assert {(order.label, order.state) for order in rest} >= {
        ("disc", "with a plain corner"),
        ("square", "with a blue corner"),
    }
    assert any("as far as the rest" in told for told in notes.told)
    for order in rest:
        for photo in order.photographs:
            assert truth[photo.path] == (order.label, order.state == "with a blue corner")


def test_where_nothing_of_any_order_can_be_told_that_is_said(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    cues = read_json(audit.cue_list)
    write_json(audit.cue_list, [*cues, {**cues[0], "name": "hair look 1", "kind": "appearance"}])
    look = {"cue": "hair look 1", "present": True, "words": "with one look"}
    change_plan(audit, lambda cells: [cell.update(cues=[look]) for cell in cells])
    with pytest.raises(ConfigError, match="No order of this audit's plan can be filled"):
        pick(audit, tmp_path / "pool", tmp_path / "picked.csv")


def test_a_photograph_of_the_audit_that_changed_stops_it(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=1)
    photo = load_dataset(audit).file_of(5).path
    kept = photo.read_bytes()
    try:
        photo.write_bytes(kept[:-20])
        with pytest.raises(ChangedImage):
            pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    finally:
        photo.write_bytes(kept)


def test_the_command_teaches_and_tells(audit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_pool(tmp_path / "pool", "{label}/{number}.png", each=2)
    (tmp_path / "pool" / "disc" / "broken.png").write_bytes(b"no picture")
    done = CliRunner().invoke(app, ["pick", str(audit.path), "pool", "--copy-to", "new"])
    assert done.exit_code == 0, done.output
    assert "disc/broken.png: not an image" in done.output
    assert "“square” with a blue corner: 2 of" in done.output and "2 in the pool fit" in done.output
    assert "--with" in done.output and "picked.csv" in done.output
    assert (tmp_path / "picked.csv").stat().st_mode & 0o077 == 0 == (tmp_path / "picked.html").stat().st_mode & 0o077
    assert len(list((tmp_path / "new").rglob("*.png"))) == 4
    helped = CliRunner().invoke(app, ["pick", "--help"]).output
    assert "--copy-to" in helped and "guessed" in helped and "bias-audit verify" in helped
    failed = CliRunner().invoke(app, ["pick", str(audit.path), "nowhere"])
    assert failed.exit_code == 2 and "no such folder" in failed.output


def test_the_page_shows_what_was_picked_and_loads_nothing(audit, tmp_path):
    draw_pool(tmp_path / "pool", "{number}.png", each=4)
    draw_pool(tmp_path / "pool", "square/{number}.png", each=1, seed=9)
    picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    page = render_picked(audit, tmp_path / "picked.html").read_text(encoding="utf-8")
    assert "default-src 'none'; img-src data:" in unescape(page)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page) == []
    assert page.count("<figure") == picked.found == page.count("data:image/jpeg")
    for order in picked.orders:
        assert f"{len(order.photographs)} of {order.ask} ordered" in page
    assert "Check the classes." in page and "blue corner (value" in page


def test_nothing_picked_nothing_shown(audit, tmp_path):
    assert read_picked(audit) is None
    with pytest.raises(AuditFolderError, match="nothing was picked"):
        render_picked(audit, tmp_path / "picked.html")


def test_patches_and_stickers_are_told_as_the_audit_told_them(tmp_path, monkeypatch):
    """Stickers show only among all photographs together, those of the audit and of the pool."""
    manifest = draw_dataset(tmp_path / "photos")
    dataset = {"manifest": str(manifest), "attributes": []}
    audit = finished_audit(tmp_path / "patches", tiny_config(manifest, cues=["patch"], attributes=[], dataset=dataset))
    truth = draw_pool(tmp_path / "pool", "{label}/{number}.png", each=10)
    asked, detect = [], PatchDetector.detect

    def noted(self, photo):
        asked.append(photo.path)
        return detect(self, photo)

    monkeypatch.setattr(PatchDetector, "detect", noted)
    picked = pick(audit, tmp_path / "pool", tmp_path / "picked.csv")
    assert sorted(asked) == sorted(truth)
    right = [
        truth[photo.path] == (order.label, not order.state.startswith("without"))
        for order in picked.orders
        for photo in order.photographs
    ]
    assert len(right) >= 15 and np.mean(right) >= 0.75
