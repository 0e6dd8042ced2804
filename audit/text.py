"""Small pieces of text: what is safe to print, lists that stay short, shares in per cent."""

import difflib
import re
from collections.abc import Iterable, Sequence

_NAMED = 10
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

# Controls, line separators and lone surrogates, and marks that reorder text: they could disguise what is printed.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """``text`` with control, line-separating and text-reordering characters written as escapes.

    >>> printable("nurse" + chr(27) + "[31m")
    'nurse\\\\x1b[31m'
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def at_most_ten(words: Iterable[str]) -> str:
    """At most ten of the words, then how many more there are."""
    all_words = list(words)
    more = [f"and {len(all_words) - _NAMED} more"] if len(all_words) > _NAMED else []
    return ", ".join(all_words[:_NAMED] + more)


def enumerated(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    >>> enumerated(["a", "b", "c"]), enumerated(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of the known names that is spelled most like ``name``; "none" where none is known.

    >>> nearest("haed", ["hair", "head"]), nearest("head", [])
    ('head', 'none')
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)), "none")


def percent(share: float) -> str:
    """A share as whole per cent.

    >>> percent(0.934)
    '93 %'
    """
    return f"{share * 100:.0f} %"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number, in words up to twelve, with its noun.

    >>> counted(1, "shortcut"), counted(2, "shortcut"), counted(40, "photograph")
    ('one shortcut', 'two shortcuts', '40 photographs')
    """
    word = _WORDS[number] if 0 <= number < len(_WORDS) else f"{number:,}"
    return f"{word} {noun if number == 1 else plural or noun + 's'}"


def continued(sentence: str) -> str:
    """The sentence with its first letter lowered, to stand inside another one."""
    return sentence[:1].lower() + sentence[1:]


def capital(sentence: str) -> str:
    """The sentence with its first letter raised, the rest untouched."""
    return sentence[:1].upper() + sentence[1:]
