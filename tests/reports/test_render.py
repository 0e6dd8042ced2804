"""The report as text: complete, self-contained, escaped, small, and careful with what it says."""

import base64
import doctest
import hashlib
import importlib
import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from audit.config import parse_config
from audit.cues.cue_json import Distribution
from audit.errors import AuditFolderError
from audit.findings.audit_json import read_audit
from audit.findings.consequences import consequences, flagged_consequences
from audit.progress import reporting_to
from audit.store.audit_folder import AuditFolder, file_digest, read_json, read_table, write_json, write_table
from reports.charts import Scale, bar_chart, dot_plot, scales
from reports.images import LEVELS, embed_images, heat_of, where
from reports.render import build, environment, render
from reports.spotlights import shade
from reports.verdict import verdict
from tests.bare_records import bare_figures, bare_finding
from tests.notes import Notes
from tests.report_folder import READ, REASON, Wish, make_audit

SCRIPT = "<script>window.hacked=1</script>"
IMG = '<img src=x onerror="window.hacked=1">'
HOSTILE = Wish(
    classes=(f'doctor">{SCRIPT}', "\u202eطبيب " + "very-long-name" * 12 + "'\"&amp;"),
    names=(f"{IMG}.jpg", '"onload="x.jpg', "a\u202egpj.exe.jpg", "ممرضة.jpg", "x" * 200 + ".jpg"),
    words=f"{IMG}{{{{7*7}}}}</svg></style>{SCRIPT}",
)
VOID = {"meta", "img", "br", "image", "use", "line", "circle", "rect", "path", "polyline", "link"}


class Page(HTMLParser):
    """Tags, attributes and text of a page, and the tags that were left open or closed twice."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts, self.stack, self.crossed = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data):
        if not self.stack or self.stack[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def values(self, *names):
        return [value for _, name, value in self.attributes if name in names]


def page_of(folder):
    return Page(render(folder).read_text(encoding="utf-8"))


def changed(folder, change):
    record = read_json(folder.record)
    change(record)
    write_json(folder.record, record)
    return folder


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    return make_audit(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def page(audit):
    return page_of(audit)


@pytest.fixture
def small(tmp_path):
    return make_audit(tmp_path, Wish(n=12, files=6, findings=2, clusters=1, exemplars=2))


@pytest.mark.parametrize("name", ["text", "charts", "images", "verdict", "cards", "render"])
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(f"reports.{name}")).failed == 0


def test_stage_writes_one_file_and_nothing_else(small):
    before = set(small.path.rglob("*"))
    assert build(small, parse_config({"report": {"title": "My title"}})) == [small.report]
    assert set(small.path.rglob("*")) - before == {small.report}
    assert "My title" in small.report.read_text(encoding="utf-8")


def test_same_folder_gives_the_same_bytes(small):
    assert render(small).read_bytes() == render(small).read_bytes()


def test_loads_nothing_from_elsewhere(page):
    links = page.values("src", "href", "srcset", "xlink:href", "action", "data")
    assert links
    assert not [link for link in links if not link.startswith(("#", "data:image/"))]
    assert "link" not in page.tags


def test_links_lead_somewhere_and_ids_are_unique(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href") if link.startswith("#")} <= set(ids)
    assert {name for value in page.values("aria-labelledby") for name in value.split()} <= set(ids)


def test_policy_lets_only_our_script_run(audit):
    html = render(audit).read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src &#39;none&#39;" in policy
    assert f"&#39;sha256-{digest}&#39;" in policy.replace("&#43;", "+")
    assert "unsafe" not in policy.split("script-src")[1]


def test_tags_close_in_order(page):
    assert not page.crossed
    assert not page.stack


def test_headings_never_skip_a_level(page):
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pictures_have_words(page):
    named = [value for _, name, value in page.attributes if name == "aria-label"]
    assert all(named)
    roles = sum(value == "img" for value in page.values("role"))
    assert roles
    assert roles <= len(named)


def test_each_photograph_is_embedded_once(page):
    photos = [value for value in page.values("href") if value.startswith("data:image/jpeg")]
    assert len(photos) == len(set(photos)) == 24
    assert len([value for value in page.values("href") if re.fullmatch(r"#p\d+", value)]) > 2 * len(photos)


def test_verdict_comes_first(page):
    assert page.text.index("and one more: shortcuts that this model would learn") < page.text.index("Findings")
    assert "possible shortcut" in page.text


def test_says_all_that_it_promises(page):
    for words in (
        "What the photographs should contain", "plan/weights.csv", "Since the last audit", "Where the model looks",
        "What is taken for what", "Where it is confidently wrong", "What was looked for", "2,140 MB", "2.14.1",
        "its end is missing", "The same photograph under different labels", "effect_images", "ab" * 32,
        "What this result does not say", "1 of 40 verdicts came out high", "Grad-CAM map", REASON, "n = 60",
        "p < 0.001", "AUC 0.", "Strong in one of the two.",
    ):  # fmt: skip
        assert words in page.text.replace("\N{NO-BREAK SPACE}", " "), words


def test_both_fillings_are_shown(page):
    text = " ".join(page.text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert re.search(r"with a blur \+34 \(\+30 to \+38\) ?, with the dataset's mean colour \+2\d \(", text)


@pytest.mark.parametrize("value", [0.02, None])
def test_the_classs_own_contrast_is_shown_whether_or_not_the_gap_could_be_measured(small, value):
    """A verdict may rest on it alone."""

    def contrasted(record):
        own = {"value": 0.31, "low": 0.12, "high": 0.47, "n": 23, "mistakes": 9}
        for finding in record["findings"]:
            finding["evidence"]["gap"] |= {"own": own} if value else {"own": own, "value": None, "reason": REASON}

    text = " ".join(page_of(changed(small, contrasted)).text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert re.search(r"own photographs \+31 points \(\+12 to \+47\) ?, n = 23", text)


def test_a_second_filling_that_was_not_tried_is_not_shown(small):
    def forget(record):
        for finding in record["findings"]:
            finding["evidence"].get("effect", {}).pop("mean", None)

    text = page_of(changed(small, forget)).text
    assert "too little to try a second way of covering it" in text and "the dataset's mean colour" not in text


def test_the_control_of_the_leakage_is_shown(page):
    assert "a place of the same size elsewhere 0.66 (0.60 to 0.72)" in page.text


def test_looks_are_counted_by_class(page, small):
    text = " ".join(page.text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert "Looks of what everybody has" in text
    assert re.search(r"no\. 2 of 2: smaller\) 8 25 % 9 25 %", text)
    without = page_of(changed(small, lambda record: record.update(looks=[])))
    assert "what everybody has" not in without.text and "#looks" not in without.values("href")


def test_looks_are_cut_to_where_the_content_is(page):
    views = [value.split() for tag, name, value in page.attributes if (tag, name) == ("svg", "viewbox")]
    crops = [[float(number) for number in view] for view in views if len({*view[2:]}) == 1 and view[:2] != ["0", "0"]]
    # Detections are drawn as squares of 20 of 56 cells: 80 of 224 pixels, and 100 with their margin.
    assert len(crops) == 12 and all(side == pytest.approx(100, abs=2) for _, _, side, _ in crops)


def test_the_self_audit_shows_what_was_noticed_missed_and_not_tried(page):
    text = " ".join(page.text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert re.search(r"The data are tied to it strongly 2 % .*? 1 of 40 verdicts", text)
    assert re.search(r"A high verdict, content dealt out 0 % .*? 0 of seven verdicts", text)
    assert "A high verdict, made-up attributes could not be said of anything here" in text
    assert "in 95 % and 5 % in 80 % and 20 % in 70 % and 30 % A tint missed not tried not tried A white frame" in text
    assert re.search(r"A white frame High a border High a border missed", text)
    assert "Marks were put on 40 photographs of the 60" in text


def test_false_alarms_of_an_older_audit_are_shown_as_it_counted_them(small):
    def older(record):
        del record["self_audit"]["null"]["data"], record["self_audit"]["null"]["model"]

    text = " ".join(page_of(changed(small, older)).text.replace("\N{NO-BREAK SPACE}", " ").split())
    assert re.search(r"Verdicts that are high 2 % .*? 1 of 40 verdicts", text)
    assert re.search(r"Audits with a high verdict 20 % .*? 1 of five audits", text)
    assert "content dealt out" not in text


def test_an_audit_without_a_self_audit_says_so(small):
    nothing = {"status": "not_run", "sentence": "This audit did not measure its own rate of false alarms."}
    nothing |= {"null": None, "power": None, "left_out": []}
    text = page_of(changed(small, lambda record: record.update(self_audit=nothing))).text
    assert nothing["sentence"] in text and "cry wolf" not in text


@pytest.mark.parametrize("part", ["null", "power"])
def test_half_a_self_audit_is_shown(small, part):
    text = page_of(changed(small, lambda record: record["self_audit"].update({part: None}))).text
    assert ("cry wolf" in text, "What would it have noticed" in text) == (part != "null", part != "power")


def test_corrected_p_is_shown(small):
    def correct(record):
        record["findings"][0]["evidence"]["prevalence"] |= {"p": 0.004, "p_adjusted": 0.043}

    text = page_of(changed(small, correct)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "p = 0.043" in text
    assert "p = 0.004" not in text


@pytest.mark.parametrize(
    ("severities", "headline"),
    [
        (("cleared",), "No shortcut found among the nine kinds of content that were looked for"),
        (("expected", "cleared", "low"), "No shortcut found among the nine kinds"),
        (("not_enough_data",), "Nothing can be told from these photographs"),
        (("medium", "cleared"), ": a possible shortcut"),
        (("cleared", "high"), ": a shortcut that this model would learn"),
    ],
)
def test_headline(tmp_path, severities, headline):
    folder = make_audit(tmp_path, Wish(n=12, files=4, findings=len(severities), clusters=1, severities=severities))
    page = page_of(folder)
    assert headline in page.text
    assert "is fair" not in page.text
    assert "unbiased" not in page.text


def test_a_cue_judged_for_two_classes_counts_once(audit):
    record = read_audit(audit)
    high = next(finding for finding in record.findings if finding.severity == "high")
    twice = (high, high.model_copy(update={"id": "F2", "label": "doctor"}))
    found = verdict(record.model_copy(update={"findings": twice}))
    assert found.headline.endswith(": a shortcut that this model would learn")
    assert len(found.open) == 2


def as_looks(record):
    """Both findings are about looks of the hair, and so grave that they would stand open."""
    for number, finding in enumerate(record["findings"], 1):
        cue = next(cue for cue in record["cues"] if cue["name"] == finding["cue"])
        cue |= {"name": f"hair look {number}", "kind": "appearance", "within": "hair"}
        finding |= {"cue": cue["name"], "severity": "medium"}


def test_a_finding_about_the_file_shows_histograms_and_no_heat_map(tmp_path):
    folder = make_audit(tmp_path, Wish(findings=10, severities=("low",) * 9 + ("medium",), file_cues=True))
    page = render(folder).read_text(encoding="utf-8")
    (card,) = re.findall(r'<article class="card medium".*?</article>', page, re.S)
    assert card.count("<rect x=") == 4 and "Photograph labelled" in card
    assert "Heat map over" not in card and "Heat map over" in page
    assert "where the model looked" not in card and "the single fact that tells most" in card


def test_bars_are_as_high_as_their_shares_and_many_classes_become_two():
    spread = Distribution(bins=("few", "many"), counts={"a": (3, 1), "b": (0, 8)})
    a, b = bar_chart(spread, "a").rows
    heights = [[bar[3] for bar in row.bars] for row in (a, b)]
    assert heights == [[27.0, 9.0], [0.0, 36.0]]
    assert all(bar[1] + bar[3] == 38 for row in (a, b) for bar in row.bars)
    many = Distribution(bins=("few", "many"), counts={str(n): (n, 10 - n) for n in range(9)})
    one, others = bar_chart(many, "8").rows
    assert (one.label, others.label) == ("8", "all others")
    assert others.bars[0][3] / others.bars[1][3] == pytest.approx(28 / 52, rel=0.02)


@pytest.mark.parametrize("n_bins", [1, 2, 3, 8])
def test_numbers_are_labelled_at_the_ends_and_every_kind_has_a_number_of_its_own(n_bins):
    spread = Distribution(bins=tuple(f"kind {n}" for n in range(n_bins)), counts={"a": (1,) * n_bins})
    numbers, kinds = bar_chart(spread, "a"), bar_chart(spread, "a", is_ordered=False)
    assert [words for *_, words in numbers.ticks] == [spread.bins[n] for n in sorted({0, n_bins - 1})]
    assert numbers.key == () and kinds.key == spread.bins
    assert [words for *_, words in kinds.ticks] == [str(n + 1) for n in range(n_bins)]
    middles = [x + width / 2 for x, _, width, _ in kinds.rows[0].bars]
    assert [x for x, *_ in kinds.ticks] == pytest.approx(middles, abs=0.2)


def test_a_further_look_of_the_same_part_is_told_once(small):
    html = render(changed(small, as_looks)).read_text(encoding="utf-8")
    page = Page(html)
    assert ": a possible shortcut" in page.text
    assert "One further finding follows from it." in page.text
    assert '<article class="card medium" id="F1"' in html and '<details class="card medium" id="F2"' in html
    assert "A consequence of F1" in page.text


def test_in_former_audits_only_looks_of_one_part_explain_each_other(small):
    def said(change=lambda record: None):
        record = read_audit(changed(small, change))
        return consequences(record), flagged_consequences(record)

    def lower(record):
        record["findings"][1]["severity"] = "low"

    def part_ways(record):
        record["cues"][-1] |= {"name": "skin look 1", "kind": "appearance", "within": "skin"}
        record["findings"][1]["cue"] = "skin look 1"

    assert said() == ({}, {})
    assert said(as_looks) == ({"F2": "F1"}, {"F1": 1})
    assert said(lower) == ({"F2": "F1"}, {})
    assert said(part_ways)[0] == {}


@pytest.mark.parametrize(
    ("severities", "told"),
    [
        ("LLLL", {"low": ("all 4 looks of the hair",)}),
        ("LLL.", {"low": ("3 of 4 looks of the hair",), "not_enough_data": ("look 4",)}),
        ("LL", {"low": ("both looks of the hair",)}),
        ("CL", {"low": ("look 2",), "cleared": ("look 1",)}),
    ],
)
def test_looks_of_a_part_with_one_verdict_are_named_in_one_number(audit, severities, told):
    record = read_audit(audit)
    levels, hair = {"L": "low", "C": "cleared"}, record.cues[0]
    assert hair.name == "hair"
    looks = [
        hair.model_copy(update={"name": f"hair look {n}", "words": f"look {n}", "kind": "appearance", "within": "hair"})
        for n in range(1, 1 + len(severities))
    ]
    findings = [bare_finding(id="F0", severity="expected")] + [
        bare_finding(id=f"F{n}", cue=f"hair look {n}", words=f"look {n}", severity=levels[letter])
        for n, letter in enumerate(severities, 1)
        if letter in levels
    ]
    record = record.model_copy(update={"cues": (hair, *looks), "findings": tuple(findings)})
    found = {group.severity: group.words for group in verdict(record).groups}
    assert found == {"expected": ("the hair",), **told}


def test_what_was_not_judged_is_said(audit):
    record = read_audit(audit)
    (group,) = verdict(record.model_copy(update={"findings": record.findings[:1]})).groups
    assert group.title == "Looked for, but not judged"
    assert len(group.words) == 8


def test_a_model_that_learned_nothing_is_said(small):
    def forget(record):
        record["model"]["accuracy"] |= {"value": 0.52, "low": 0.41, "high": 0.63}

    assert "hardly learned the task" not in page_of(small).text
    assert "hardly learned the task" in page_of(changed(small, forget)).text


def test_photographs_of_a_single_colour_are_listed_by_class_ten_by_name(small):
    def many(record):
        record["dataset"]["uniform"] = {"doctor": [f"doctor/{i:02}.png" for i in range(12)], "nurse": ["nurse/7.png"]}

    text = " ".join(page_of(changed(small, many)).text.split())
    listed = text[text.index("Photographs of a single colour") : text.index("Versions and hashes")]
    assert "Photographs of a single colour 13" in listed
    assert "doctor/09.png , and 2 more, in images.parquet" in listed and "doctor/10.png" not in listed
    assert "nurse/7.png" in listed and "the maps were not tested on them" in listed


def test_an_audit_from_before_photographs_of_a_single_colour_were_listed(small):
    def older(record):
        del record["dataset"]["uniform"]

    assert "Photographs of a single colour" in page_of(small).text
    assert "Photographs of a single colour" not in page_of(changed(small, older)).text


def test_without_findings_clusters_failures_and_training(small):
    def empty(record):
        record |= {"findings": [], "clusters": [], "failures": [], "cues": [], "looks": []}
        record["plan"] |= {"cells": [], "files": []}
        record["plan"]["ways"]["collect"]["cells"] = []
        record["dataset"] |= {"rejected": [], "cross_class_duplicates": [], "uniform": {}, "warnings": []}
        record["model"]["worst_groups"] = []

    write_json(small.findings, [])
    page = page_of(changed(small, empty))
    assert "There is no finding" in page.text
    assert "No groups could be formed" in page.text
    assert not [value for value in page.values("href") if value.startswith("data:image/jpeg")]


def test_many_classes(tmp_path):
    wish = Wish(classes=tuple(f"kind {i}" for i in range(120)), n=600, files=6, findings=500, clusters=2)
    folder = make_audit(tmp_path, wish)
    page = page_of(folder)
    assert "120 classes" in page.text
    assert "and 112 classes with fewer" in page.text
    assert "380 further findings" in page.text
    assert "The most frequent mistakes" in page.text
    assert folder.report.stat().st_size < 3e6


def test_missing_photograph_becomes_a_placeholder(small):
    record = read_json(small.record)
    lost = record["findings"][0]["exemplars"][0]
    (small.path.parent / "photos" / lost).unlink()
    page = page_of(small)
    assert "the file is missing" in page.text
    assert any(lost in label and "Not shown: the file is missing." in label for label in page.values("aria-label"))


def test_a_photograph_that_was_replaced_is_not_shown_and_told(small):
    lost = read_json(small.record)["findings"][0]["exemplars"][0]
    Image.new("RGB", (64, 48), "teal").save(small.path.parent / "photos" / lost)
    notes = Notes()
    with reporting_to(notes):
        page = page_of(small)
    assert any(lost in label and "the file has changed since the audit" in label for label in page.values("aria-label"))
    shown = [uri for uri in page.values("href") if uri.startswith("data:image/jpeg")]
    pictures = [Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in shown]
    teal = np.abs(np.stack([picture.resize((1, 1)) for picture in pictures]).astype(int) - [0, 128, 128]).sum(-1)
    assert len(pictures) > 3 and teal.min() > 30
    (told,) = notes.said
    assert told == f"{lost}: the file has changed since the audit read it, so the report does not show it; " + (
        "its findings are about what was audited."
    )


def without_map(page):
    """The photographs in whose place the page says that there is no heat map."""
    said = [value for _, name, value in page.attributes if name == "aria-label" and value.startswith("No heat map")]
    return [re.fullmatch(r"No heat map for (\S+): it is empty\.", value)[1] for value in said]


def test_empty_map_is_said(small):
    def show_last(record):
        record["findings"][0]["exemplars"] = ["class1/0011.jpg"]

    before = without_map(page_of(small))
    assert set(without_map(page_of(changed(small, show_last)))) - set(before) == {"class1/0011.jpg"}


def test_metadata_of_photographs_is_left_out(small):
    path = small.path.parent / "photos" / read_json(small.record)["findings"][0]["exemplars"][0]
    exif = Image.Exif()
    exif[0x010E] = "SECRET DESCRIPTION"
    Image.new("RGB", (64, 48), "teal").save(path, "JPEG", exif=exif, comment=b"SECRET COMMENT")
    table = read_table(small.images)
    table.loc[table["path"] == path.relative_to(small.path.parent / "photos").as_posix(), "sha256"] = file_digest(path)
    write_table(small.images, table)
    for uri in page_of(small).values("href"):
        if uri.startswith("data:image/jpeg"):
            content = base64.b64decode(uri.partition(",")[2])
            assert b"SECRET" not in content
            assert not Image.open(io.BytesIO(content)).getexif()


def test_hostile_names_stay_text(tmp_path):
    page = page_of(make_audit(tmp_path, HOSTILE))
    assert page.tags.count("script") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not page.crossed
    assert f"{IMG}{{{{7*7}}}}</svg></style>{SCRIPT}" in page.text
    assert "\u202e" not in page.text
    assert any(IMG in value for value in page.values("aria-label"))


@pytest.fixture
def structure(small):
    """The tags of the page as it is without odd names."""
    return page_of(small).tags


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(min_size=1, max_size=60), label=st.text(min_size=1, max_size=60))
def test_no_text_changes_the_structure(small, structure, words, label):
    def rename(record):
        for finding in record["findings"]:
            finding |= {"words": words, "class": label, "sentence": words, "recommendation": [label, words]}
        record["dataset"] |= {"name": label, "warnings": [words]}
        record["clusters"][0]["words"] = words

    record = read_json(small.record)
    odd = page_of(changed(small, rename))
    write_json(small.record, record)
    assert odd.tags == structure


def test_a_missing_key_is_an_error(small):
    with pytest.raises(AuditFolderError, match=r"audit\.json: damaged.*findings\.0\.sentence"):
        render(changed(small, lambda record: record["findings"][0].pop("sentence")))


def test_everything_is_escaped_by_default():
    assert environment().from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"


def test_thousand_photographs_stay_below_five_megabytes(tmp_path):
    wish = Wish(n=1000, files=190, findings=15, clusters=12, size=(640, 480), texture=40)
    html = render(make_audit(tmp_path, wish)).read_text(encoding="utf-8")
    photos = re.findall(r"data:image/jpeg;base64,([^\"]*)", html)
    assert len(photos) > 140
    # Photographs of people at this size take 5.4 kB on average; the drawn ones must not be easier.
    assert np.mean([len(photo) * 3 / 4 for photo in photos]) > 5400
    assert len(html.encode()) < 5e6


def test_large_thumbnails_are_shrunk_to_the_budget(tmp_path):
    wish = Wish(n=150, files=150, findings=9, clusters=6, exemplars=12, size=(640, 480), texture=60)
    folder = make_audit(tmp_path, wish)
    config = parse_config({"report": {"thumbnail": 640, "exemplars": 24}})
    (path,) = build(folder, config)
    assert path.stat().st_size < 5e6


def test_heat_shows_only_what_speaks_for_the_class():
    saliency = np.full((14, 14), -3, np.float32)
    saliency[2:4, 10:12] = 5
    heat = heat_of(saliency)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(heat.uri.partition(",")[2]))).convert("RGBA"))
    assert heat.where == "at the upper right"
    row, column = np.unravel_index(pixels[..., 3].argmax(), pixels.shape[:2])
    assert (row / pixels.shape[0] < 0.36) & (column / pixels.shape[1] > 0.64)
    assert (pixels[pixels.shape[0] // 2 :, :, 3] == 0).all()


def test_heat_colours_get_steadily_brighter(small):
    book = embed_images(small, small.path.parent / "photos", [], [], [], 64)
    strip = Image.open(io.BytesIO(base64.b64decode(book.legend.partition(",")[2]))).convert("RGBA")
    colours = np.asarray(strip)[0].astype(float)
    assert len(colours) == LEVELS
    assert (np.diff(colours[:, :3] @ [0.2126, 0.7152, 0.0722]) > 0).all()
    assert (np.diff(colours[:, 3]) >= 0).all()
    assert colours[0, 3] == 0


@pytest.mark.parametrize(
    ("row", "column", "words"), [(7, 7, "in the middle"), (13, 7, "at the lower middle"), (7, 0, "at the left")]
)
def test_where(row, column, words):
    saliency = np.zeros((14, 14), np.float32)
    saliency[row, column] = 1
    assert where(saliency) == words


def test_axes_are_shared_and_hold_their_null(audit):
    axes = scales(read_audit(audit).findings)
    for kind, null in (("attention", 1), ("leakage", 0.5), ("effect", 0), ("gap", 0)):
        assert axes[kind].low < null < axes[kind].high
    lift = axes["attention"]
    assert lift.x(1) - lift.x(0.5) == pytest.approx(lift.x(2) - lift.x(1), abs=0.11)


def test_dots_stand_where_their_values_are():
    fact = {"value": 0.25, "low": 0.0, "high": 0.5, "elsewhere": 1.0, "elsewhere_low": 0.75, "elsewhere_high": 1.0}
    fact = bare_figures(prevalence=fact).prevalence
    ours, other = dot_plot("prevalence", fact, Scale(0, 1, 0)).dots
    assert (ours.low, ours.x, ours.high) == (9.0, 64.5, 120.0)
    assert (other.low, other.x, other.hollow) == (175.5, 231.0, True)


def test_a_finished_folder_without_maps_or_photographs_still_reports(small):
    for path in small.explain.iterdir():
        path.unlink()
    page = page_of(AuditFolder(small.path))
    assert set(without_map(page)) == {f"class{number % 2}/{number:04}.jpg" for number in range(6)}


def test_maps_that_failed_their_checks_lead_the_report(tmp_path):
    sanity = {"trusted": False, "sentence": "The maps failed.", "checks": []}
    page = page_of(changed(make_audit(tmp_path), lambda record: record.update(sanity=sanity)))
    told = page.text.index("Read this first: The maps failed. Do not rely on them")
    assert told < page.text.index("Evidence") and "one step lower than its figures" in page.text
    assert "Read this first" not in page_of(make_audit(tmp_path / "trusted")).text


def test_what_detectors_found_is_shown_with_the_words_read(small):
    page = page_of(small)
    found = page.text[page.text.index("What the detectors took for it") :]
    assert f"Read: {READ} (3)" in found
    labels = [label for label in page.values("aria-label") if "what was taken for the watermark" in label]
    assert len(labels) == 3
    assert "36 % (20 %) 1.8 times, 1.5 to 2.1; n = 30" in found


def test_an_example_is_light_where_the_cue_is():
    mask = np.zeros((56, 56), bool)
    mask[10:20, 30:40] = True
    image = Image.open(io.BytesIO(base64.b64decode(shade(mask).partition(",")[2]))).convert("RGBA")
    opacity = np.asarray(image)[:, :, 3]
    assert (opacity[mask] == 0).all() and (opacity[~mask] > 150).all()


def test_every_verified_strategy_is_answered_for_also_when_it_did_not_help(small):
    page = page_of(small)
    told = page.text[page.text.index("Did it help? The models were trained again") :]
    assert "Rare combinations count more It helped 61 % → 68 % +7 points [+2, +12]" in told
    assert "New photographs added Not certain 61 % → 68 % +7 points [−3, +12]" in told
    assert "60 weighted photographs are worth about 37" in told
    assert "60 new photographs joined the training: 30 of “doctor”, 30 of “nurse”. One file could not be added." in told
    assert "so even there the content still says a little about the class" in told
    assert "not measured" in told and "5 × 3 folds" in told
    labels = page.values("aria-label")
    assert sum(label.startswith("Before: attention") for label in labels) == 2
    assert sum(label.startswith("After: attention") for label in labels) == 4


def test_without_a_verification_the_report_says_how_to_get_one(tmp_path):
    page = page_of(make_audit(tmp_path, Wish(verified=())))
    assert "Nobody has tried yet. bias-audit verify" in page.text
    nothing = page_of(make_audit(tmp_path / "clean", Wish(verified=(), severities=("cleared",))))
    assert "Did it help?" not in nothing.text


def test_a_verification_of_other_findings_is_not_shown(tmp_path):
    folder = make_audit(tmp_path)
    write_json(folder.findings, [])
    assert "Nobody has tried yet." in page_of(folder).text


def test_accuracy_without_the_shortcuts_is_shown_beside_the_plain_one(small):
    page = page_of(small)
    told = page.text[page.text.index("Without the shortcuts") :]
    assert "F1 the hair 87 % 79 %" in told and "n = 12 worth 37" in told
    assert f"F2 the face Not measured. {REASON}" in told
