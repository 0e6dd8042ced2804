"""What the facts of the file are called, and how photographs that have more or less of one are described."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.detectors.cue import Role
from audit.text import printable


@dataclass(frozen=True)
class NumberWords:
    """A fact that is a number. ``words`` name it inside a sentence; photographs with more of it are ``more`` than
    others; ``figure`` is a format of one value. ``role``: "tone" for what the content itself may bring along."""

    name: str
    words: str
    more: str
    less: str
    figure: str = "{:.2f}"
    role: Role = "tone"


@dataclass(frozen=True)
class KindWords:
    """A fact that has kinds. ``words`` hold one value, in a sentence; ``special`` says some values better.

    ``role``: "origin" for what no pixel shows, so that no model can see it. ``usual`` is the value that says least, if
    there is one: of two values the other one is told.
    """

    name: str
    words: str
    special: Mapping[str, str] = field(default_factory=dict)
    role: Role = "file"
    usual: str = ""

    def of(self, value: str) -> str:
        """A value in words, such as "the file format PNG"."""
        return self.special.get(value, self.words.format(printable(value)))


NUMBERS: Mapping[str, NumberWords] = {
    one.name: one
    for one in (
        NumberWords(
            "aspect_ratio",
            "the shape of the picture",
            "wider for their height",
            "narrower for their height",
            "{:.2f} times as wide as high",
            "file",
        ),
        NumberWords("megapixels", "the size of the picture", "larger", "smaller", "{:.2f} megapixels", "file"),
        NumberWords(
            "jpeg_quality",
            "the JPEG quality",
            "of higher JPEG quality",
            "of lower JPEG quality",
            "{:.0f} of 100",
            "file",
        ),
        NumberWords(
            "bits_per_pixel",
            "the file's size for its pixels",
            "stored in more bytes",
            "stored in fewer bytes",
            "{:.1f} bits a pixel",
        ),
        NumberWords("brightness", "the brightness of the picture", "brighter", "darker", "{:.0f} of 255"),
        NumberWords(
            "contrast", "the contrast of the picture", "richer in contrast", "poorer in contrast", "{:.0f} of 255"
        ),
        NumberWords("warmth", "the tone from blue to yellow", "yellower", "bluer", "{:+.0f} of 255"),
        NumberWords("tint", "the tone from purple to green", "greener", "more purple", "{:+.0f} of 255"),
        NumberWords("sharpness", "the sharpness of the picture", "sharper", "more blurred"),
        NumberWords("noise", "the noise of the picture", "noisier", "less noisy"),
    )
}
KINDS: Mapping[str, KindWords] = {
    one.name: one
    for one in (
        KindWords("format", "the file format {}", usual="JPEG"),
        KindWords("colour", "{}", {"grey": "a grey picture", "colour": "a coloured picture"}, usual="colour"),
        KindWords("depth", "a depth of {} bits", {"1": "black and white alone"}, usual="8"),
        KindWords(
            "subsampling",
            "JPEG colour stored as {}",
            {"another": "an unusual way to store JPEG colour"},
            usual="4:2:0",
        ),
        KindWords("camera", "{} (told from EXIF)", {"none": "no camera in the EXIF data"}, usual="none"),
        KindWords("software", "{} (told from EXIF)", {"none": "no program in the EXIF data"}, usual="none"),
        KindWords("date", "{}", {"given": "a date in the EXIF data", "none": "no date in the EXIF data"}, usual="none"),
        KindWords("name", "a file name like “{}”", role="origin"),
        KindWords("folder", "the folder “{}”", {"": "no folder of its own"}, role="origin"),
    )
}
TOGETHER, TOGETHER_WORDS = "together", "the file and the frame, taken together"
