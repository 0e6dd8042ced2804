"""A whole audit of pictures whose classes are saved in different formats: that is named, and nothing is collected."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from audit.errors import ConfigError
from audit.plan.masked_copy import write_retouched
from audit.store.audit_folder import AuditFolder, read_json, read_table, write_json, write_table
from reports.render import render
from reports.text import percent
from tests.planted import draw_dataset, finished_audit, tiny_config

SHARES = {"disc": 0.8, "square": 0.2}


@pytest.fixture(scope="module")
def audit(tmp_path_factory) -> AuditFolder:
    manifest = draw_dataset(tmp_path_factory.mktemp("files"), per_class=50, sticker=(0.5, 0.5))
    table = pd.read_csv(manifest)
    for label, share in SHARES.items():
        for row in table[table["label"] == label].head(round(share * 50)).itertuples():
            table.loc[row.Index, "path"] = as_jpeg(manifest.parent / row.path)
    table.to_csv(manifest, index=False)
    return finished_audit(tmp_path_factory.mktemp("audit"), tiny_config(manifest))


def as_jpeg(path: Path) -> str:
    with Image.open(path) as picture:
        picture.save(path.with_suffix(".jpg"), quality=97, subsampling=0)
    path.unlink()
    return f"{path.parent.name}/{path.stem}.jpg"


def finding(audit: AuditFolder) -> dict:
    return next(one for one in read_json(audit.record)["findings"] if one["cue"] == "file.format=PNG")


def test_the_format_is_named_and_strong_in_the_data(audit):
    found = finding(audit)
    assert (found["cue_kind"], found["class"], found["in_data"]) == ("file", "square", "strong")
    assert found["severity"] in ("high", "medium")
    assert found["in_data_sentence"] == "Yes: 80 % of the “square” photographs are PNG files, and 20 % of the others."
    effect = found["evidence"]["effect"]
    assert found["evidence"]["attention"]["value"] is None and effect["evened_out"] == "taken"
    # Ten of the other class are PNG files, and as many of this one are saved again.
    assert effect["n"] in (10, 20) and "saved again as JPEG files" in found["in_model_sentence"]


def test_nothing_is_to_be_collected_for_it_nor_to_be_masked(audit):
    found, plan = finding(audit), read_json(audit.record)["plan"]
    assert not [cell for cell in plan["cells"] if cell["cue"].startswith("file.")]
    assert not any("Collect" in step for step in found["recommendation"])
    with pytest.raises(ConfigError, match="no place in the picture"):
        write_retouched(audit, "file.format=PNG", audit.path.parent / "masked", irrelevant=True)


def test_the_card_has_histograms_and_no_heat_map(audit):
    page = render(audit).read_text(encoding="utf-8")
    card = page.partition(f'id="{finding(audit)["id"]}"')[2].partition("</article>")[0]
    assert card.count("<rect x=") == 4 and "Heat map over" not in card
    assert f"PNG: {percent(0.8)}" in card and f"PNG: {percent(0.2)}" in card


def test_an_audit_without_facts_of_the_file_still_renders(audit, tmp_path):
    older, record = AuditFolder(tmp_path / "older"), read_json(audit.record)
    shutil.copytree(audit.path, older.path)
    images = read_table(audit.images)
    write_table(older.images, images[[name for name in images if not name.startswith("file:")]])
    record["cues"] = [cue for cue in record["cues"] if cue["kind"] != "file"]
    record["findings"] = [one for one in record["findings"] if one["cue_kind"] != "file"]
    write_json(older.record, record)
    assert "file.format" not in render(older).read_text(encoding="utf-8")
