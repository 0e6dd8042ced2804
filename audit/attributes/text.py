"""What kind of text was read: a date, a web address, the name of a photograph agency, or numbers only."""

import re
from collections.abc import Iterable, Iterator, Sequence

from audit.attributes.attribute import Attribute
from audit.detectors.marks.text import lines_of, reader_version
from audit.detectors.photo import Photo
from audit.store.model_files import ModelFile

# Names that are nothing else, wherever they are in a line, without spaces and signs; and such as must be words alone.
AGENCIES = (
    "123rf", "adobestock", "agefotostock", "alamy", "bigstock", "canstock", "colourbox", "depositphotos", "dreamstime",
    "fotolia", "fotosearch", "freepik", "gettyimages", "istock", "masterfile", "pixabay", "pixtastock", "photodune",
    "shutterstock", "sciencephoto", "stockimagefactory", "stocksy", "superstock", "vectorstock",
)  # fmt: skip
AGENCY_WORDS = frozenset({"corbis", "getty", "imago", "pexels", "pond5", "reuters", "unsplash", "eyeem"})
# Endings that are no word of their own, since spaces behind full stops are often not read.
_TOP_LEVELS = "com|org|net|edu|gov|info|biz|eu|de|fr|nl|ch|dk|pl|ru|ca|uk|jp|au"
_ADDRESS = re.compile(
    r"https?:?//|\bwww[.,]\w|[\w-]{2,}@[\w-]{2,}\.\w"
    rf"|(?<![\w.])[a-z0-9-]*[a-z][a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:{_TOP_LEVELS})(?![\w.])"
)
_MONTH = (
    r"(?<![^\W\d_])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![^\W\d_])"
)
_YEAR = r"(?:19|20)\d\d"
# "1 Dec 2019", "December 1st, 2019", "Dec.1.2019", "Dec '19" and "2019 Dec 1".
_NAMED_DATE = re.compile(
    rf"{_MONTH}[\s.-]*(?:\d{{1,2}}(?:st|nd|rd|th)?[\s,./-]*)?(?:'\d\d|{_YEAR})(?!\d)|{_YEAR}[\s-]*{_MONTH}[\s-]*\d"
)
# Three numbers, alike parted; what goes on before or behind as in an address of a machine is no date.
_NUMBERS = re.compile(r"(?<![\d.,/-])(?=('?\d{1,4})\s*([./\- ])\s*('?\d{1,2})\s*\2\s*('?\d{1,4})(?![./-]?\d))")
_RUN_TOGETHER = re.compile(rf"(?<!\d)({_YEAR})(\d\d)(\d\d)(?!\d)")
_DAYS, _MONTHS = range(1, 32), range(1, 13)


class TextReader:
    """What the lines that were read in a photograph are about."""

    name = "text"
    attributes: tuple[Attribute, ...] = (
        Attribute("date_text", "a printed date", "text without a date", "text", 0.5,
                  "a day, a month and a year are printed on the picture", "kind of text", "mark"),
        Attribute("web_address", "a web address", "text without a web address", "text", 0.5,
                  "a web or e-mail address is printed on the picture", "kind of text", "mark"),
        Attribute("agency_text", "the name of a photograph agency", "text that names no photograph agency", "text", 0.5,
                  "an agency that sells photographs is named on the picture", "kind of text", "mark"),
        Attribute("number_text", "numbers without words", "text with words", "text", 0.5,
                  "all that is printed on the picture is numbers", "kind of text", "mark"),
    )  # fmt: skip
    models: tuple[ModelFile, ...] = ()
    keepable = True

    @property
    def version(self) -> str:
        """Changes with what reads the text."""
        return f"1, {reader_version()}"

    def measure(self, photo: Photo) -> dict[str, float]:
        """1 for what is there and 0 for what is not; nothing where no text is read."""
        lines = [line.words for line in lines_of(photo)]
        return {name: float(is_there) for name, is_there in kinds_of(lines).items()} if lines else {}


def kinds_of(lines: Sequence[str]) -> dict[str, bool]:
    """Which of the attributes some lines of text have.

    >>> [name for name, is_there in kinds_of(["www.example.org", "09/26/2006"]).items() if is_there]
    ['date_text', 'web_address']
    """
    return {
        "date_text": any(map(holds_date, lines)),
        "web_address": any(map(holds_address, lines)),
        "agency_text": any(map(names_agency, lines)),
        "number_text": is_numbers(lines) and not any(map(holds_date, lines)),
    }


def holds_date(line: str) -> bool:
    """Whether a day, a month and a year stand side by side in a line, in any order.

    >>> [holds_date(line) for line in ("09/26/2006 14:05", "'07 3 12", "1 Dec 2019", "(c) 2007", "10.0.0.1")]
    [True, True, True, False, False]
    """
    folded = re.sub("[\u2018\u2019`\u00b4]", "'", line.casefold())
    return _NAMED_DATE.search(folded) is not None or any(map(_is_date, _numbers(folded)))


def holds_address(line: str) -> bool:
    """Whether a line holds a web or e-mail address.

    >>> [holds_address(line) for line in ("Photo: example.com", "me@home.net", "St. Mary. In peace")]
    [True, True, False]
    """
    folded = line.casefold()
    # Behind these a space is no end of a sentence, but misread.
    joined = re.sub(r"\s*([./])\s*", r"\1", folded) if re.search(r"\bwww\b|http", folded) else folded
    return _ADDRESS.search(joined) is not None


def names_agency(line: str) -> bool:
    """Whether a line names an agency that sells photographs.

    >>> names_agency("Adobe Stock | #202013317"), names_agency("Gettysburg")
    (True, False)
    """
    words = re.findall(r"[^\W_]+", line.casefold())
    return any(name in "".join(words) for name in AGENCIES) or not AGENCY_WORDS.isdisjoint(words)


def is_numbers(lines: Iterable[str]) -> bool:
    """Whether lines hold figures and no letters."""
    text = "".join(lines)
    return any(map(str.isdigit, text)) and not any(map(str.isalpha, text))


def _numbers(line: str) -> Iterator[tuple[str, str, str]]:
    """Three numbers that may be a date; between spaces, one must look like a year."""
    for first, parting, second, third in _NUMBERS.findall(line):
        if parting != " " or any(len(number) >= 3 for number in (first, third)):
            yield first, second, third
    yield from _RUN_TOGETHER.findall(line)


def _is_date(numbers: tuple[str, str, str]) -> bool:
    first, second, third = numbers
    return (_is_year(third) and _are_day_and_month(first, second)) or (
        _is_year(first) and _are_day_and_month(second, third)
    )


def _is_year(number: str) -> bool:
    """Two figures, with an apostrophe or without, or four of this century or the last."""
    return len(number.lstrip("'")) == 2 or re.fullmatch(_YEAR, number) is not None


def _are_day_and_month(first: str, second: str) -> bool:
    if not (first.isdecimal() and second.isdecimal()):
        return False
    low, high = sorted((int(first), int(second)))
    return low in _MONTHS and high in _DAYS
