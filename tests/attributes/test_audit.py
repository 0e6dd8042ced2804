"""An attribute goes through a whole audit: measured with the cues, tabulated at its region, judged and told."""

import numpy as np
import pytest

from audit.attributes import registry
from audit.attributes.attribute import UNKNOWN, Attribute
from audit.cues.cue_table import load_cues
from audit.detection.detections import load_attributes
from audit.findings.audit_json import read_audit
from audit.plan.masked_copy import why_not
from tests.planted import draw_dataset, finished_audit, tiny_config

BLUE = Attribute("blue_corner", "a blue corner", "a plain corner", "", 0.5, "the corner is blue", "corner")
BIG = Attribute("big_patch", "a big patch", "a small patch", "patch", 0.02, "it is big", "patch size", role="mark")


class Corner:
    """Looks at the corner where the pictures have their sticker; of every seventh picture nothing can be told."""

    name, attributes, models, keepable, version = "corner", (BLUE, BIG), (), False, 1

    def measure(self, photo):
        if photo.path.endswith(("0.png", "7.png")):
            return {}
        corner = photo.pixels[4:15, 4:15].reshape(-1, 3).mean(0)
        is_blue = float(corner[2] > corner[0] + 80)
        return {"blue_corner": is_blue, "big_patch": 0.03 if is_blue else UNKNOWN}


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """A finished audit in which a sticker leans 90 to 10 %, and the reader above is the only one."""
    root = tmp_path_factory.mktemp("attributes")
    manifest = draw_dataset(root / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "READERS", (Corner,))
        dataset = {"manifest": str(manifest), "attributes": []}
        yield finished_audit(root / "audit", tiny_config(manifest, cues=["patch"], dataset=dataset))


def test_what_could_not_be_told_is_unknown_in_the_table(audit):
    measured, cues = load_attributes(audit), load_cues(audit)
    assert [one.name for one in measured.attributes] == ["blue_corner", "big_patch"]
    blue = cues.named("blue_corner")
    np.testing.assert_array_equal(cues.known(blue), ~np.isnan(measured.values[:, 0]))
    assert 0 < (~cues.known(blue)).sum() < 40
    np.testing.assert_array_equal(cues.present(blue), measured.values[:, 0] >= 0.5)


def test_an_attribute_is_where_its_region_is(audit):
    cues = load_cues(audit)
    big, patch = cues.named("big_patch"), cues.named("patch")
    images = np.flatnonzero(cues.present(big) & cues.present(patch))
    assert len(images) > 20 and big.has_place and big.whole == "patch"
    np.testing.assert_array_equal(cues.masks(big, images), cues.masks(patch, images))
    for name in ("area", "attention"):
        np.testing.assert_array_equal(cues.column(big, name)[images], cues.column(patch, name)[images])


def test_one_of_the_whole_picture_has_no_place(audit):
    cues = load_cues(audit)
    assert not cues.named("blue_corner").has_place
    assert np.isnan(cues.column(cues.named("blue_corner"), "attention").astype(float)).all()


def test_its_words_name_the_finding(audit):
    record = read_audit(audit)
    found = next(finding for finding in record.findings if finding.cue == "blue_corner")
    assert found.severity in ("high", "medium") and found.label == "disc"
    assert "a blue corner" in found.sentence.lower()
    assert found.evidence.prevalence.value > 0.75 and found.evidence.prevalence.elsewhere < 0.25
    assert found.evidence.leakage.value is None


def test_it_cannot_be_masked_alone(audit):
    assert "--cue patch" in why_not(load_cues(audit).named("big_patch"))
