"""Numbers and names as the report prints them: no false precision, no wrapping inside a figure."""

import math
from datetime import datetime
from typing import Any

from markupsafe import Markup

from audit.text import capital, counted

_SPACE = "\N{NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"
# Control characters, overrides of the writing direction and lone surrogates can make a file name look like another.
_UNSEEN = (*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE = dict.fromkeys((*_UNSEEN, *range(0xD800, 0xE000)), "\N{REPLACEMENT CHARACTER}")


def visible(value: Any) -> Any:
    """A string with every character that hides or disguises others replaced; markup and other types as they are.

    >>> visible("photo\\u202egpj.exe")
    'photo�gpj.exe'
    """
    return value.translate(_VISIBLE) if isinstance(value, str) and not isinstance(value, Markup) else value


def percent(share: float | None) -> str:
    """A share in [0, 1] as whole percent; never 0 or 100 unless it is exactly that.

    >>> percent(0.927), percent(0.004), percent(0.999), percent(None)
    ('93\\xa0%', '<\\xa01\\xa0%', '>\\xa099\\xa0%', '–')
    """
    if share is None or math.isnan(share):
        return "–"
    if 0 < share < 0.005:
        return f"<{_SPACE}1{_SPACE}%"
    if 0.995 <= share < 1:
        return f">{_SPACE}99{_SPACE}%"
    return f"{share * 100:.0f}{_SPACE}%"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, signed.

    >>> points(0.118), points(-0.03), points(0.001)
    ('+12', '−3', '0')
    """
    if difference is None:
        return "–"
    whole = round(difference * 100)
    return "0" if whole == 0 else f"{'+' if whole > 0 else _MINUS}{abs(whole)}"


def decimal(value: float | None, places: int = 2) -> str:
    """A plain number with a true minus sign.

    >>> decimal(-0.418), decimal(2.26, 1)
    ('−0.42', '2.3')
    """
    return "–" if value is None or math.isnan(value) else f"{value:.{places}f}".replace("-", _MINUS)


def count(number: float | None) -> str:
    """A whole number with separated thousands.

    >>> count(12005)
    '12,005'
    """
    return "–" if number is None else f"{number:,.0f}"


def p_value(p: float | None) -> str:
    """A p-value as readers expect it.

    >>> p_value(0.0004), p_value(0.012), p_value(0.334)
    ('p\\xa0<\\xa00.001', 'p\\xa0=\\xa00.012', 'p\\xa0=\\xa00.33')
    """
    if p is None:
        return ""
    sign, value = ("<", "0.001") if p < 0.001 else ("=", f"{p:.3f}" if p < 0.1 else f"{p:.2f}")
    return _SPACE.join(("p", sign, value))


def duration(seconds: float) -> str:
    """Wall time in the two largest units that matter.

    >>> duration(0.42), duration(75.4), duration(7320)
    ('0.4\\xa0s', '1\\xa0min 15\\xa0s', '2\\xa0h 2\\xa0min')
    """
    if seconds < 10:
        return f"{seconds:.1f}{_SPACE}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{_SPACE}s"
    if whole < 3600:
        return f"{whole // 60}{_SPACE}min {whole % 60}{_SPACE}s"
    return f"{whole // 3600}{_SPACE}h {whole % 3600 // 60}{_SPACE}min"


def day(iso: str) -> str:
    """The date of an ISO-8601 time stamp in words; the text itself if it is none.

    >>> day("2026-11-23T22:50:00Z"), day("yesterday")
    ('23 November 2026', 'yesterday')
    """
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{moment.day} {moment:%B %Y}"


FILTERS = {
    "percent": percent,
    "points": points,
    "decimal": decimal,
    "count": count,
    "p_value": p_value,
    "duration": duration,
    "day": day,
    "capital": capital,
    "counted": counted,
}
