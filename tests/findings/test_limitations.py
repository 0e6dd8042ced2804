"""Where what a classifier takes people for was read, an audit says how often that is wrong, and of whom."""

from audit.attributes.people.apparent_accuracy import accuracy
from audit.attributes.registry import PEOPLE_READERS
from audit.findings.limitations import APPARENT, apparent


def test_nothing_is_said_where_nobody_asked():
    assert apparent(people=False) == []


def test_every_group_is_named_with_its_share_and_the_poor_ones_once_more():
    said = apparent(people=True)
    assert len(said) == len({(row.attribute, row.photographs) for row in accuracy()})
    for row in accuracy():
        (sentence,) = (one for one in said if row.photographs in one and one.startswith(APPARENT[row.attribute]))
        assert f"{100 * row.right / row.of:.0f} %" in sentence
        if row.group != "all":
            assert f"{row.group} {100 * row.right / row.of:.0f} % (n = {row.of})" in sentence
            assert (row.group in sentence.partition("It fails")[2]) == row.is_poor


def test_every_apparent_attribute_has_a_name():
    assert set(APPARENT) == {one.name for reader in PEOPLE_READERS for one in reader.attributes}
