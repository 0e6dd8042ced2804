"""Progress of long work, told to whoever listens: a terminal, a test, or nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Reporter(Protocol):
    """What a listener offers. All calls come from the thread that runs the audit."""

    def started(self, task: str, total: int | None, unit: str) -> None:
        """Work named ``task`` begins; ``total`` is in ``unit`` (None when unknown)."""

    def advanced(self, count: int) -> None:
        """``count`` further units of the innermost task are done."""

    def finished(self) -> None:
        """The innermost task ended, by success or by an exception."""

    def note(self, message: str) -> None:
        """One plain sentence that a user should see."""


class Silence:
    """The listener of library use: drops everything."""

    def started(self, task: str, total: int | None, unit: str) -> None:
        """Nobody is told that work begins."""

    def advanced(self, count: int) -> None:
        """Nobody is told how much is done."""

    def finished(self) -> None:
        """Nobody is told that work has ended."""

    def note(self, message: str) -> None:
        """Nobody reads the sentence."""


_reporter: ContextVar[Reporter] = ContextVar("reporter")
_SILENCE = Silence()


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[None]:
    """Send the progress of everything inside the block to ``reporter``."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def reporting_by_default(reporter: Reporter) -> Iterator[None]:
    """The same, unless somebody listens already."""
    with reporting_to(_reporter.get(reporter)):
        yield


@contextmanager
def track(task: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
    """Announce a piece of work and yield the function to call as its units get done.

    >>> with track("reading", total=2) as advance:
    ...     advance(2)
    """
    reporter = _reporter.get(_SILENCE)
    reporter.started(task, total, unit)
    try:
        yield reporter.advanced
    finally:
        reporter.finished()


def note(message: str) -> None:
    """Tell the user one sentence that does not stop the work."""
    _reporter.get(_SILENCE).note(message)
