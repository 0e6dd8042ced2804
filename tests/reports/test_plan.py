"""The plan in the report: orders with pictures, ways side by side, and a snippet that really draws by the weights."""

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.findings.audit_json import read_audit
from audit.store.audit_folder import read_json, write_json
from reports.plan import ORDERS, SAMPLER, orders
from reports.render import render
from tests.report_folder import Wish, make_audit


@pytest.fixture
def audit(tmp_path):
    return make_audit(tmp_path, Wish())


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).replace("\N{NO-BREAK SPACE}", " ").split())


def test_orders_are_what_is_to_be_collected(audit):
    tree = read_json(audit.record)
    to_collect = orders(read_audit(audit))
    assert [(order.label, order.add) for order in to_collect] == [("nurse", 118)] * 2
    assert all(order.need == order.have + order.add and len(order.examples) == 3 for order in to_collect)
    tree["plan"]["ways"]["collect"]["cells"] *= 40
    write_json(audit.record, tree)
    assert len(orders(read_audit(audit))) == ORDERS
    del tree["plan"]["ways"]
    write_json(audit.record, tree | {"schema_version": 1})
    assert orders(read_audit(audit)) == []


def test_the_ways_stand_side_by_side_with_their_costs(audit):
    text = text_of(render(audit).read_text(encoding="utf-8"))
    assert "Collect 236 new photographs" in text and "Leave out Not possible" in text
    assert "37 photographs’ worth of certainty, and only in part" in text
    assert '--cue "watermark" --out masked/' in text
    assert "Collect 118 photographs of “nurse” with the hair, like these." in text


def test_each_order_has_its_pictures(audit):
    page = render(audit).read_text(encoding="utf-8")
    shots = re.findall(r'<div class="shots">(.*?)</div>', page, re.DOTALL)
    assert len(shots) == 2 and all(shot.count("<use href=") == 3 for shot in shots)


def test_what_changed_since_the_last_audit_is_said(audit):
    text = text_of(render(audit).read_text(encoding="utf-8"))
    assert "It had 41 photographs; now there are 60" in text
    assert "not there → high" in text and "low → high" in text


def test_an_older_audit_has_neither_ways_nor_a_former_one(audit):
    """`bias-audit report` renders again what an earlier version wrote."""
    record = read_json(audit.record)
    del record["plan"]["ways"], record["former"]
    write_json(audit.record, record | {"schema_version": 1})
    page = render(audit).read_text(encoding="utf-8")
    assert 'id="former"' not in page and 'class="ways"' not in page and "37 unweighted" in text_of(page)


def test_the_snippet_draws_photographs_by_their_weights(tmp_path, monkeypatch):
    """As it stands in the report, run where photographs and plan are: rare ones come up as often as they should."""
    for number in range(9):
        index = tmp_path / "photos" / ("cat" if number < 6 else "=dog") / f"{number}.png"
        index.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number * 25, 0, 0)).save(index)
    (tmp_path / "plan").mkdir()
    rows = [("cat/0.png", 4.0), ("cat/1.png", 1.0), ("./photos-of-none.png", 9.0), ("./=dog/6.png", 5.0)]
    pd.DataFrame(rows, columns=["path", "weight"]).to_csv(tmp_path / "plan" / "weights.csv", index=False)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(SAMPLER, names)
    assert next(iter(names["loader"]))[0].shape == (9, 3, 224, 224)
    drawn = np.concatenate([np.array(list(names["sampler"])) for _ in range(400)])
    share = {path: np.mean(drawn == index) for index, path in enumerate(names["paths"])}
    assert share["cat/0.png"] == pytest.approx(0.4, abs=0.04) and share["=dog/6.png"] == pytest.approx(0.5, abs=0.04)
    assert share["cat/1.png"] == pytest.approx(0.1, abs=0.03) and share["cat/2.png"] == 0


def test_the_report_carries_the_snippet_as_it_is(audit):
    page = render(audit).read_text(encoding="utf-8")
    (code,) = (
        code for code in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL) if "WeightedRandomSampler" in code
    )
    assert unescape(code) == SAMPLER
