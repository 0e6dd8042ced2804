"""Findings about the file in words: what differs, in which direction, by how much; and nothing is to be collected."""

import pytest

from audit.data.facts.equalise import CHANGED
from audit.findings.file_sentences import advice, compare, data_answer, model_answer
from audit.findings.findings import lowered
from tests.bare_records import bare_figures
from tests.findings.test_findings import verdict


def test_a_kind_is_told_by_its_shares():
    figures = bare_figures(prevalence={"value": 0.8, "elsewhere": 0.2, "difference": 0.6})
    told = data_answer("file.format=PNG", "fake", figures, "strong", None).sentence
    assert told == "Yes: 80 % of the “fake” photographs are PNG files, and 20 % of the others."
    grey = data_answer("file.colour=grey", "a", figures, "weak", (1.0, 0.0)).reason
    assert grey == "80 % of the “a” photographs are grey, and 20 % of the others."


def test_a_number_is_told_by_its_medians_and_what_a_test_makes_of_it():
    told = data_answer("file.aspect_ratio", "a", bare_figures(leakage={"value": 0.98}), "strong", (1.6, 0.625)).reason
    assert told.startswith("the “a” photographs are wider for their height than the others (median 1.60 ")
    assert "elsewhere 0.62 " in told and told.endswith("in 98 % of cases (guessing: 50 %).")


def test_all_together_are_compared_with_the_clearest():
    figures = bare_figures(leakage={"value": 0.9, "control": 0.85})
    told = data_answer("file.together", "a", figures, "strong", (1.0, 1.0)).reason
    assert "in 90 % of cases" in told and told.endswith("the one fact that tells most, in 85 %.")


@pytest.mark.parametrize("cue", ["file.format=PNG", "file.aspect_ratio", "file.together"])
def test_what_was_not_measured_is_said(cue):
    assert data_answer(cue, "a", bare_figures(), "unknown", None).sentence == "Cannot be told: not measured."


def test_only_what_some_pixel_shows_has_an_accuracy_to_tell():
    figures = bare_figures(gap={"together": 0.9, "apart": 0.5, "along": "presence"})
    seen, unseen = (
        model_answer(cue, "it", "a", figures, "none").reason for cue in ("file.format=PNG", "file.folder=x")
    )
    assert "90 %" in seen and "%" not in unseen


def test_what_evening_out_did_is_said_with_its_direction():
    gap = {"together": 0.9, "apart": 0.5, "along": "presence"}
    taken, given = (
        model_answer(cue, "it", "a", bare_figures(effect={"value": 0.12, "evened_out": way}, gap=gap), "strong").reason
        for cue, way in (("file.aspect_ratio", "taken"), ("file.colour=grey", "given"))
    )
    assert taken.startswith(
        "with photographs cropped to a shape like the others, the confidence in “a” changes by −12 "
    )
    assert given.startswith("with photographs made grey like those of “a”, the confidence in “a” changes by +12 ")
    assert "90 %" in taken and "hiding" not in taken + given


def test_every_fact_that_can_be_evened_out_has_words_for_it():
    for fact in CHANGED:
        figures = bare_figures(effect={"value": 0.1, "evened_out": "taken"})
        told = model_answer(f"file.{fact}", "it", "a", figures, "weak").reason
        assert "changes by −10 percentage points" in told


def test_the_direction_is_that_of_the_medians():
    assert "darker than the others (median 90 of 255, elsewhere 180 of 255)" in compare("brightness", "a", 90.0, 180.0)
    assert "the same median (90 of 255)" in compare("brightness", "a", 90.1, 90.2)


def test_nothing_is_to_be_collected_and_a_harmless_fact_needs_no_advice():
    steps = " ".join(advice("file.format=PNG", "medium"))
    assert "Save all photographs again" in steps and "Collect" not in steps and "not needed" in steps
    assert len(advice("file.name=IMG_#", "low")) == 1
    assert advice("file.format=PNG", "cleared") == []


def test_maps_that_failed_their_test_change_nothing_about_files():
    fact = verdict("file.format=PNG", role="file", kind="file")
    assert lowered(fact) is fact and lowered(verdict("face")).severity == "low"
