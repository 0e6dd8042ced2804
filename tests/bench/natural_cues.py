"""What counts as the right cue where photographs differ in an attribute, as a table with reasons.

``names`` are the cues that name an attribute; their looks and parts, and clusters that lie on them, name it as well.
Attributes that audits measure name it where they are listed, and not by the region that they are measured in.
``around`` are cues that change along with it because they overlap with it, or because a detector takes it for them:
consequences, neither right nor false.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """An attribute of photographs: its column (empty where none lists it), its cues, and why just these."""

    column: str
    present: str
    absent: str
    names: frozenset[str]
    around: frozenset[str]
    reason: str
    expected: tuple[str, ...] = ()


def _cues(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COLOURS = "black_hair brown_hair blond_hair red_hair grey_hair"
_CLOTHES = "white_clothing dark_clothing blue_clothing green_clothing red_clothing patterned_clothing"


# By the word that cases use. ``expected`` is what an owner declares where the attribute is the task itself.
ATTRIBUTES: Mapping[str, Attribute] = {
    "glasses": Attribute(
        "Eyeglasses",
        "glasses",
        "no glasses",
        _cues("glasses eyes"),
        _cues("face"),
        "A detector looks for glasses; the region of the eyes holds them, the face holds that.",
        ("glasses", "eyes"),
    ),
    "hat": Attribute(
        "Wearing_Hat",
        "hat",
        "no hat",
        _cues("hair headwear"),
        _cues(f"face person text patch bald fringe long_hair {_COLOURS}"),
        "What sits on the head is the detector's hair or headwear; brims shade the face, caps carry letters.",
        ("hair",),
    ),
    "blond": Attribute(
        "Blond_Hair",
        "blond",
        "not blond",
        _cues("hair blond_hair"),
        _cues(_COLOURS),
        "The colour of the hair.",
        ("hair",),
    ),
    "black": Attribute(
        "Black_Hair",
        "black",
        "not black",
        _cues("hair black_hair"),
        _cues(_COLOURS),
        "The colour of the hair.",
        ("hair",),
    ),
    "grey": Attribute(
        "Gray_Hair", "grey", "not grey", _cues("hair grey_hair"), _cues(_COLOURS), "The colour of the hair.", ("hair",)
    ),
    "bald": Attribute(
        "Bald",
        "bald",
        "not bald",
        _cues("hair skin bald"),
        _cues(f"face long_hair fringe headwear {_COLOURS}"),
        "Hair is missing; the bare scalp is skin, and the outline of the face takes some of it in.",
        ("hair",),
    ),
    "beard": Attribute(
        "Beard",
        "beard",
        "no beard",
        _cues("face skin beard"),
        _cues("hair dark_skin"),
        "The lower face; a full beard may be taken for hair.",
        ("face",),
    ),
    "necktie": Attribute(
        "Wearing_Necktie",
        "necktie",
        "no necktie",
        _cues(f"clothing {_CLOTHES}"),
        _cues("skin person bare_arms"),
        "A part of the clothing, with a collar that leaves no skin bare.",
        ("clothing",),
    ),
    "smiling": Attribute(
        "Smiling",
        "smiling",
        "not smiling",
        _cues("face smile"),
        _cues("skin eyes"),
        "The mouth is a place in the face; cheeks rise and eyes narrow.",
        ("face",),
    ),
    "man": Attribute(
        "Male",
        "man",
        "woman",
        _cues("face hair eyes skin beard long_hair bald looks_female"),
        _cues(f"clothing glasses person fringe {_COLOURS} {_CLOTHES}"),
        "Who somebody is shows in face and hair; clothing and glasses are chosen accordingly.",
    ),
    "young": Attribute(
        "Young",
        "young",
        "old",
        _cues("face hair eyes skin grey_hair bald looks_old"),
        _cues(f"clothing glasses person beard fringe long_hair {_COLOURS} {_CLOTHES}"),
        "Age shows in face, skin and hair; clothing and glasses are chosen accordingly.",
    ),
    "sticker": Attribute(
        "colour_patch",
        "sticker",
        "no sticker",
        _cues("patch"),
        _cues("border overlay"),
        "A coloured sticker; where it is cut by the edge of the picture it may be taken for a border or a mark.",
    ),
    "occluder": Attribute(
        "",
        "occluded",
        "open",
        _cues("patch"),
        _cues("face eyes glasses skin hair"),
        "Something before the face: the detectors of the face and of its parts fail behind it, which is no finding.",
    ),
    "aspect": Attribute("", "cropped", "whole", _cues(""), _cues("border"), "The shape of the frame."),
    "format": Attribute("", "PNG", "JPEG", _cues(""), _cues("background"), "How the file was stored."),
    "grey scale": Attribute(
        "",
        "grey scale",
        "colour",
        _cues(""),
        _cues("*"),
        "Without colour every place of the picture looks otherwise.",
    ),
    "resolution": Attribute(
        "", "small", "large", _cues(""), _cues("background"), "Fewer pixels, which a picture shows as softness."
    ),
    "mole": Attribute(
        "",
        "not melanoma",
        "melanoma",
        _cues("main_object"),
        _cues(""),
        "What a mole looks like is what its diagnosis is made from; an owner says so.",
        ("main_object",),
    ),
    "animal": Attribute(
        "", "", "", _cues("main_object"), _cues(""), "The animal itself, which audits know as subject."
    ),
    "uniform": Attribute(
        "", "", "", _cues("clothing"), _cues(""), "Coats and tunics tell doctors from nurses.", ("clothing",)
    ),
    "nothing": Attribute("", "", "", _cues(""), _cues(""), "Labels were dealt out by chance."),
}
# Kinds of cues that are right for an attribute, whatever their name: what a file is like, not what it shows.
KINDS: Mapping[str, frozenset[str]] = dict.fromkeys(("aspect", "format", "grey scale", "resolution"), _cues("file"))
# Where one of these columns of the carrier leans although nobody chose it to, so do its cues: no false alarms.
FURTHER: Mapping[str, frozenset[str]] = {
    "Brown_Hair": _cues("hair brown_hair"),
    "Bangs": _cues("hair face fringe"),
    "Straight_Hair": _cues("hair long_hair"),
    "Wavy_Hair": _cues("hair long_hair"),
    "Mustache": _cues("face skin beard"),
    "Goatee": _cues("face skin beard"),
    "No_Beard": _cues("face skin beard"),
    "Heavy_Makeup": _cues("face eyes skin"),
    "Pale_Skin": _cues("face skin dark_skin"),
    "Blurry": _cues("background face hair soft_face soft_background"),
    **{one.column: one.names for one in ATTRIBUTES.values() if one.column and one.column != "Beard"},
}


def right_names(cue: str, label: str) -> frozenset[str]:
    """The cues that name a confounder: none of those that name the task."""
    task = ATTRIBUTES[label].names if label in ATTRIBUTES else frozenset[str]()
    return ATTRIBUTES[cue].names - task


def expected(cue: str, label: str) -> tuple[str, ...]:
    """What an owner declares to be the task: nothing that holds the confounder as well.

    >>> expected("glasses", "hat"), expected("hat", "beard"), expected("glasses", "beard")
    (('hair',), ('face',), ())
    """
    declared = ATTRIBUTES[label].expected if label in ATTRIBUTES else ()
    inside = _cues("face eyes glasses skin") if "face" in declared else frozenset(declared)
    return declared if ATTRIBUTES[cue].names - inside or not ATTRIBUTES[cue].names else ()
