"""Find shortcuts in labelled photographs before a classifier learns them.

>>> from audit import Audit
>>> audit = Audit.run("photos/", fine_tune="head")  # doctest: +SKIP
>>> audit.findings, audit.to_frame(), audit.plan, audit.report_path  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from audit.store.version import __version__

if TYPE_CHECKING:
    from audit.run.api import Audit

__all__ = ["Audit", "__version__"]


def __getattr__(name: str) -> object:
    """``Audit``, imported when it is first asked for, so that every other import of this package stays light."""
    if name != "Audit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from audit.run.api import Audit

    return Audit


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
