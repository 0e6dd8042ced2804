"""Dates, web addresses, agencies and bare numbers are told from what was read, and from nothing else."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.attributes import text
from audit.attributes.text import TextReader, holds_address, holds_date, is_numbers, kinds_of, names_agency
from audit.detectors.marks.text import Line
from audit.detectors.photo import Photo

DATES = st.dates(date(1950, 1, 1), date(2049, 12, 31))
FORMATS = (
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y-%m-%d",
    "%d/%m/%y",
    "%d %m %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%d%b%Y",
    "%Y%m%d",
    "%b '%y",
)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz ", max_size=30)


@given(DATES, st.sampled_from(FORMATS), st.sampled_from(["", " 14:05", "   12:59:59", " (c)"]))
def test_dates_are_told_however_they_are_written(day, pattern, behind):
    assert holds_date(day.strftime(pattern) + behind)


@given(DATES)
def test_camera_stamps_with_an_apostrophe_are_dates(day):
    assert holds_date(f"'{day:%y} {day.month} {day.day}")
    assert holds_date(f"\u2019{day:%y} {day.month:2d} {day.day:2d}")


@pytest.mark.parametrize(
    "line",
    [
        "(c) 2007", "14:05:30", "10.0.0.1", "192.168.1.10", "45/67/2006", "13/13/2013", "555 123 4567", "12 34 56",
        "ID 202013317", "20069999", "1/2", "may we", "March on", "room 12", "0.5 / 0.7", "", "31.12", "v1.2.3",
    ],
)  # fmt: skip
def test_what_is_no_date(line):
    assert not holds_date(line)


@given(WORDS)
def test_letters_are_neither_dates_nor_numbers_nor_addresses(line):
    assert not holds_date(line)
    assert not is_numbers([line])
    assert not holds_address(line)


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_has_every_kind_or_not(lines):
    assert set(kinds_of(lines)) == {one.name for one in TextReader.attributes}


@given(st.from_regex(r"[a-z][a-z0-9]{1,15}", fullmatch=True), st.sampled_from(["com", "org", "de", "co.uk", "com.au"]))
def test_domains_are_addresses_with_and_without_www(name, ending):
    assert holds_address(f"{name}.{ending}")
    assert holds_address(f"Photo: WWW.{name}.{ending} 2019")
    assert holds_address(f"www. {name} .{ending}")
    assert holds_address(f"https://{name}.{ending}/a")
    assert holds_address(f"someone@{name}.{ending}")


@pytest.mark.parametrize("line", ["St. Mary. In peace", "end.Then", "No. 5", "a.m.", "3.50", "@ home", "Dr.Smith"])
def test_what_is_no_address(line):
    assert not holds_address(line)


@pytest.mark.parametrize(
    "line",
    [
        "alamy stock photo", "aalamy stock photo", "getty images", "gettyimages", "Adobe Stock | #202013317",
        "depositphotos", "shutterstock.com", "123RF", "iStock by Getty", "dreamstime.com", "© Can Stock Photo",
    ],
)  # fmt: skip
def test_agencies_are_named(line):
    assert names_agency(line)


@pytest.mark.parametrize("line", ["Gettysburg", "imagotype", "stock photo", "HOSPITAL BLUE", "alarm", "shutter"])
def test_other_names_are_no_agencies(line):
    assert not names_agency(line)


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["12345"], {"number_text"}),
        (["#202013317", "44"], {"number_text"}),
        (["09/26/2006"], {"date_text"}),
        (["room 5"], set()),
        (["---"], set()),
        (["www.alamy.com", "2 Jan 2020"], {"web_address", "agency_text", "date_text"}),
    ],
)
def test_lines_are_judged_together(lines, names):
    assert {name for name, is_there in kinds_of(lines).items() if is_there} == names


def test_the_reader_judges_what_was_read(monkeypatch):
    monkeypatch.setattr(text, "lines_of", lambda photo: (Line("12 Mar 2004", 0.9, None), Line("beach", 0.8, None)))
    values = TextReader().measure(Photo(None, None))
    assert values == {"date_text": 1.0, "web_address": 0.0, "agency_text": 0.0, "number_text": 0.0}


def test_without_text_its_kind_is_unknown(monkeypatch):
    monkeypatch.setattr(text, "lines_of", lambda photo: ())
    assert TextReader().measure(Photo(None, None)) == {}
