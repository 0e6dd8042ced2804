"""What is said of the model and of cues that it cannot have used: rarely that it does, but the test can fail."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.cam.regions import cover
from audit.cues.cue_table import load_cues
from audit.evidence.evidence_table import as_table, read_evidence
from audit.explain.read_maps import read_maps
from audit.measures.intervals import wilson
from audit.measures.permutation import permuted_order
from audit.selfaudit.false_alarms import said_of_model
from audit.selfaudit.permuted_cues import SHARES, UnusedCues
from audit.store.audit_folder import read_table, write_table
from tests.planted import draw_dataset, run_audit, tiny_config

DEALS = 12


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A sticker as an attribute and as boxes, and a corner that is marked in all photographs, where it is the look."""
    root = tmp_path_factory.mktemp("planted")
    manifest = draw_dataset(root, per_class=80, sticker=(0.75, 0.25))
    listed = pd.read_csv(manifest)
    for row in listed[::2].itertuples():
        listed.loc[row.Index, "path"] = f"{row.path.rpartition('/')[0]}/other {row.path.rpartition('/')[2]}"
        (root / row.path).rename(root / listed.loc[row.Index, "path"])
    listed.to_csv(manifest, index=False)
    boxes = listed.assign(x0=3, y0=3, x1=16, y1=16)[["path", "x0", "y0", "x1", "y1"]]
    boxes.to_csv(root / "corners.csv", index=False)
    boxes[listed["sticker"] == "yes"].to_csv(root / "stickers.csv", index=False)
    cues = [{"name": f"boxed_{name}", "boxes": str(root / f"{name}s.csv")} for name in ("corner", "sticker")]
    return tiny_config(manifest, own_cues=cues)


@pytest.fixture(scope="module")
def audit(config, tmp_path_factory):
    """Of a model that is right where the sticker is on a disc or a square has none, and nearly nowhere else."""
    audit = run_audit(tmp_path_factory.mktemp("audit"), config, until="evidence")
    predictions, images = read_table(audit.predictions), read_table(audit.images)
    together = (images["attribute:sticker"] == "yes") == (images["label"] == "disc")
    flipped = np.random.default_rng(0).random(len(images)) < 0.05
    write_table(audit.predictions, predictions.assign(correct=together.to_numpy() != flipped))
    return audit


@pytest.fixture(scope="module")
def unused(audit, config):
    return UnusedCues.of(audit, config, np.arange(160))


def test_a_cue_that_the_model_does_use_comes_out_high_so_that_the_test_can_fail(unused, monkeypatch):
    """Each image keeps its own cues: nothing is dealt out."""
    monkeypatch.setattr(
        "audit.selfaudit.permuted_cues.permuted_order", lambda groups, rng, strata: np.arange(len(groups))
    )
    said = {(cue.name, label): case.said for (cue, label), case in zip(unused.pairs, unused.permuted(0), strict=True)}
    for name in ("sticker", "boxed_sticker", "boxed_corner"):
        assert said[name, 0].severity == "high"
    assert all(one.model != "strong" for (name, _), one in said.items() if name == "coin")


def test_what_no_pixel_shows_is_no_case(unused, audit):
    origin = {cue.name for cue in load_cues(audit).cues if cue.role == "origin"}
    tried = set(read_table(audit.evidence)["cue"])
    assert origin & tried and not origin & {cue.name for cue, _ in unused.pairs}


def test_cues_that_were_dealt_out_are_rarely_said_to_be_used_though_the_data_lean(unused):
    cases = [case for seed in range(DEALS) for case in unused.permuted(seed)]
    counted = said_of_model(cases)
    assert counted.cases == DEALS * len(unused.pairs)
    # The sticker, its boxes and the look of the corner lean in the data; the coin does not.
    assert counted.high.n >= 3 * DEALS
    assert wilson(counted.high.count, counted.high.n)[0] <= 0.05
    assert counted.high.value <= 0.1
    leaning = [case for (cue, _), case in zip(unused.pairs * DEALS, cases, strict=True) if "sticker" in cue.name]
    assert all(case.said.data == "strong" for case in leaning)


def test_null_attributes_could_be_called_high_where_they_lean_and_rarely_are(unused):
    cases = [case for seed in range(DEALS) for case in unused.null_attributes(seed)]
    by_share = {share: cases[2 * place :: 2 * len(SHARES)] for place, share in enumerate(SHARES)}
    assert all(case.could_be_said.severity == "high" for case in by_share[0.8])
    assert not any(case.could_be_said.severity == "high" for case in by_share[0.5])
    counted = said_of_model(cases)
    assert counted.high.n >= 2 * DEALS
    assert wilson(counted.high.count, counted.high.n)[0] <= 0.05
    assert counted.high.value <= 0.1


@pytest.mark.parametrize("label", [0, 1])
def test_a_made_up_attribute_that_the_answers_follow_is_called_high(unused, label):
    cues, pairs = unused.attributes(3)
    place = 2 * SHARES.index(0.8) + label
    together = cues.present(pairs[place][0]) == (unused.measurer.dataset.labels == label)
    used = replace(unused, measurer=replace(unused.measurer, correct=together))
    said = [case.said.severity for case in used.null_attributes(3)]
    assert said[place] == "high"
    assert said.count("high") == 1


def test_made_up_attributes_lean_as_they_should_and_whole_groups_have_them(unused):
    """Images of one label in pairs, which are duplicates."""
    dataset = unused.measurer.dataset
    images = dataset.images.sort_values("label").assign(group=np.arange(160) // 2).reset_index(drop=True)
    paired = replace(unused, measurer=replace(unused.measurer, dataset=replace(dataset, images=images)))
    in_class = np.arange(160) < 80
    shares = np.zeros((len(SHARES), 2, 2))
    for seed in range(DEALS):
        cues, pairs = paired.attributes(seed)
        for place, (cue, label) in enumerate(pairs):
            present = cues.present(cue)
            np.testing.assert_array_equal(present[::2], present[1::2])
            sides = (in_class, ~in_class) if label == 0 else (~in_class, in_class)
            shares[place // 2, label] += [present[side].mean() / DEALS for side in sides]
    for share, drawn in zip(SHARES, shares, strict=True):
        np.testing.assert_allclose(drawn, [[share, 1 - share]] * 2, atol=0.08)


def test_attention_is_that_on_the_masks_of_the_image_whose_cues_were_dealt(unused, audit, monkeypatch):
    dataset, seen = unused.measurer.dataset, {}
    order = permuted_order(dataset.groups, 5, dataset.labels * 2 + dataset.folds)
    monkeypatch.setattr("audit.selfaudit.permuted_cues.permuted_order", lambda groups, rng, strata: order)

    def spying(measured):
        measured = list(measured)
        seen.update({(cue, label, kind): one for cue, label, kinds in measured for kind, one in kinds.items()})
        return as_table(measured)

    monkeypatch.setattr("audit.selfaudit.permuted_cues.as_table", spying)
    unused.permuted(0)
    cues = unused.measurer.cues
    cue = cues.named("boxed_sticker")
    images = np.arange(160)
    shown = cues.present(cue)[order] & (dataset.labels == 0)
    maps = np.maximum(read_maps(audit, images).astype(float), 0)
    covered = cover(cues.masks(cue, images[order]), maps.shape[1:])
    shares = np.array([(maps[i] * covered[i]).sum() / maps[i].sum() for i in np.flatnonzero(shown) if maps[i].any()])
    area = cues.column(cue, "area")[order][shown & maps.any((1, 2))].astype(float)
    lift = seen["boxed_sticker", "disc", "attention"]
    assert lift.value == pytest.approx(shares.mean() / area.mean(), rel=1e-4)
    assert lift.n == shown.sum()
    whole = read_evidence(audit)
    rows = whole[(whole["cue"] == "boxed_sticker") & (whole["class"] == "disc") & (whole["kind"] == "attention")]
    assert rows["value"].item() != pytest.approx(lift.value, rel=1e-3)


def test_some_of_the_images_are_judged_by_the_data_of_all(audit, config):
    """Of forty photographs the sticker's gap is measured, and its lean is that of all one hundred and sixty."""
    some = np.sort(np.random.default_rng(1).permutation(160)[:40])
    few = UnusedCues.of(audit, config, some)
    assert len(few.measurer.correct) == len(few.measurer.dataset.images) == 40
    cases = dict(zip([(cue.name, label) for cue, label in few.pairs], few.permuted(0), strict=True))
    assert cases["sticker", 0].said.data == "strong"
    # Fewer than twenty photographs are left on the smaller side.
    assert cases["sticker", 0].could_be_said.model != "strong"


def test_where_no_cue_was_seen_made_up_attributes_remain(unused):
    none = replace(unused, pairs=(), scores={}, of_the_data=unused.of_the_data.iloc[:0])
    assert none.permuted(0) == []
    assert len(none.null_attributes(0)) == 2 * len(SHARES)
