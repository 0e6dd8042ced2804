"""What reports say of how often apparent gender and age are right is what was measured."""

import json
from itertools import groupby

import pytest

from audit.attributes.people.apparent import ApparentReader
from audit.attributes.people.apparent_accuracy import GroupAccuracy, accuracy
from audit.attributes.registry import built_in
from tests.bench.figures import FIGURES, Figure
from tests.bench.people import line


def test_every_apparent_attribute_was_measured_by_group():
    measured = {row.attribute for row in accuracy() if row.group != "all"}
    assert measured == {one.name for one in built_in().values() if one.apparent}
    assert measured == {one.name for one in ApparentReader.attributes}


def test_the_groups_add_up_to_all_and_the_shares_lie_in_their_intervals():
    for _, rows in groupby(accuracy(), key=lambda row: (row.attribute, row.photographs)):
        whole, *groups = rows
        assert whole.group == "all" and len(groups) == 4
        for count in ("right", "of", "untold"):
            assert getattr(whole, count) == sum(getattr(group, count) for group in groups)
        assert all(0 <= row.low <= row.right / row.of <= row.high <= 1 for row in (whole, *groups))


def test_the_packaged_file_says_what_the_document_says():
    figure = Figure.read(FIGURES / "people.json")
    assert json.loads(json.dumps([line(row) for row in accuracy()])) == [list(row) for row in figure.rows]


@pytest.mark.parametrize(("right", "is_poor"), [(90, False), (89, True)])
def test_a_group_that_is_often_wrong_is_called_so(right, is_poor):
    row = GroupAccuracy("looks_female", "drawings", "men", right, 100, 0.0, 1.0, 0)
    assert row.is_poor == is_poor
