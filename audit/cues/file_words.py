"""What the facts of the file are called, how photographs that show them are described, and what evens them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.detectors.cue import Role
from audit.text import printable

NAME = "file."
TOGETHER, TOGETHER_WORDS = "together", "everything about the file and the frame"
_LIGHT = "Bring all photographs to one brightness, contrast and tone, unless these belong to the task."
_DETAIL = "Shrink all photographs to the size at which the least sharp of them is sharp, and save them in one quality."
_SAVED = (
    "Save all photographs again in one format and quality; shrunk a little first, so that no trace of the old remains."
)
_SOURCE = "Ask where the classes come from, and even out the size, format and quality that the devices leave."
_ASK = "No pixel shows it, so that no model can use it: ask why the classes come from different places."


@dataclass(frozen=True)
class NumberWords:
    """A fact that is a number.

    ``words`` name a high value of it inside a sentence; photographs with more of it are ``more`` than others;
    ``figure`` is a format of one value, ``logarithmic`` whether ratios of it matter. ``role``: "tone" for what the
    content itself may bring along; of that a difference of less than ``noticeable`` (of the logarithm, where ratios
    matter) is none. ``remedy`` is a sentence.
    """

    name: str
    words: str
    more: str
    less: str
    figure: str
    remedy: str
    role: Role = "tone"
    logarithmic: bool = False
    noticeable: float = 0.0


@dataclass(frozen=True)
class KindWords:
    """A fact that has kinds.

    ``words`` hold one value inside a sentence, ``clause`` what photographs do that show it; ``special`` are words and
    clause that say some values better. ``role``: "origin" for what no pixel shows, so that no model can see it.
    ``usual`` is the value that says least, if there is one: of two values the other one is told. ``remedy`` is a
    sentence.
    """

    name: str
    words: str
    clause: str
    remedy: str
    special: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    role: Role = "file"
    usual: str = ""

    def of(self, value: str) -> str:
        """A value in words, such as "the file format PNG"."""
        return self.special[value][0] if value in self.special else self.words.format(printable(value))

    def clause_of(self, value: str) -> str:
        """What photographs with that value do, such as "are PNG files"."""
        return self.special[value][1] if value in self.special else self.clause.format(printable(value))


NUMBERS: Mapping[str, NumberWords] = {
    one.name: one
    for one in (
        NumberWords(
            "aspect_ratio",
            "a wide picture",
            "wider for their height",
            "narrower for their height",
            "{:.2f} times as wide as high",
            "Crop or pad all photographs to one shape.",
            "file",
            True,
        ),
        NumberWords(
            "megapixels",
            "a large picture",
            "larger",
            "smaller",
            "{:.2f} megapixels",
            "Shrink all photographs to one size, that of the smallest, and save them in one quality.",
            "file",
            True,
        ),
        NumberWords(
            "jpeg_quality",
            "a high JPEG quality",
            "of higher JPEG quality",
            "of lower JPEG quality",
            "quality {:.0f} of 100",
            _SAVED,
            "file",
        ),
        NumberWords(
            "bits_per_pixel",
            "a large file for its pixels",
            "stored in more bytes",
            "stored in fewer bytes",
            "{:.1f} bits a pixel",
            _SAVED,
            logarithmic=True,
            noticeable=0.1,
        ),
        NumberWords("brightness", "a bright picture", "brighter", "darker", "{:.0f} of 255", _LIGHT, noticeable=4),
        NumberWords(
            "contrast",
            "a rich contrast",
            "richer in contrast",
            "poorer in contrast",
            "{:.0f} of 255",
            _LIGHT,
            noticeable=4,
        ),
        NumberWords("warmth", "a yellow tone", "yellower", "bluer", "{:+.0f} of 255", _LIGHT, noticeable=4),
        NumberWords("tint", "a green tone", "greener", "more purple", "{:+.0f} of 255", _LIGHT, noticeable=3),
        NumberWords(
            "sharpness",
            "a sharp picture",
            "sharper",
            "more blurred",
            "{:.1f} on a logarithmic scale",
            _DETAIL,
            noticeable=0.2,
        ),
        NumberWords(
            "noise",
            "a noisy picture",
            "noisier",
            "less noisy",
            "{:.1f} on a logarithmic scale",
            _DETAIL,
            noticeable=0.2,
        ),
    )
}
KINDS: Mapping[str, KindWords] = {
    one.name: one
    for one in (
        KindWords("format", "the file format {}", "are {} files", _SAVED, usual="JPEG"),
        KindWords(
            "colour",
            "{}",
            "are {}",
            "Make all photographs grey, or leave the grey ones out of every class.",
            {"grey": ("a grey picture", "are grey"), "colour": ("a coloured picture", "are coloured")},
            usual="colour",
        ),
        KindWords(
            "depth",
            "a depth of {} bits",
            "are {} bits deep",
            "Convert all photographs to 8 bits a channel, by one scale for all.",
            {"1": ("black and white alone", "are black and white alone")},
            usual="8",
        ),
        KindWords(
            "subsampling",
            "JPEG colour stored as {}",
            "have their colours stored as {}",
            _SAVED,
            {"another": ("an unusual way to store JPEG colour", "have their colours stored in an unusual way")},
            usual="4:2:0",
        ),
        KindWords(
            "camera",
            "{} (told from EXIF)",
            "were taken by {}, their EXIF data say",
            _SOURCE,
            {"none": ("no camera in the EXIF data", "name no camera in their EXIF data")},
            usual="none",
        ),
        KindWords(
            "software",
            "{} (told from EXIF)",
            "were saved by {}, their EXIF data say",
            _SOURCE,
            {"none": ("no program in the EXIF data", "name no program in their EXIF data")},
            usual="none",
        ),
        KindWords(
            "date",
            "{}",
            "{}",
            _SOURCE,
            {
                "given": ("a date in the EXIF data", "have a date in their EXIF data"),
                "none": ("no date in the EXIF data", "have no date in their EXIF data"),
            },
            usual="none",
        ),
        KindWords("name", "a file name like “{}”", "have names like “{}”", _ASK, role="origin"),
        KindWords(
            "folder",
            "the folder “{}”",
            "lie in the folder “{}”",
            _ASK,
            {"": ("no folder of its own", "lie in no folder of their own")},
            role="origin",
        ),
    )
}


def fact_of(cue: str) -> tuple[str, str]:
    """The fact that a cue of the file is about, and its value; that is empty for a number.

    >>> fact_of("file.format=PNG"), fact_of("file.aspect_ratio")
    (('format', 'PNG'), ('aspect_ratio', ''))
    """
    fact, _, value = cue.removeprefix(NAME).partition("=")
    return fact, value


def remedy(cue: str) -> str:
    """What evens out the fact that a cue of the file is about, as a sentence."""
    fact, _ = fact_of(cue)
    if fact == TOGETHER:
        return f"{NUMBERS['aspect_ratio'].remedy} {_SAVED}"
    return NUMBERS[fact].remedy if fact in NUMBERS else KINDS[fact].remedy
