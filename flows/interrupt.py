"""Ctrl-C and SIGTERM end a run within a second, whatever it is doing, and leave its folder resumable."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

PATIENCE_SECONDS = 0.6
SHOW_CURSOR = b"\x1b[?25h"
FAREWELL = b"Interrupted; run the same command to resume."
SIGNALS = (signal.SIGINT, signal.SIGTERM)

at_hard_exit: list[Callable[[], None]] = []
"""What must not outlive this process; called, quickly, just before it leaves."""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Leave the process with 128 + the signal's number when SIGINT or SIGTERM arrives inside the block.

    Python runs its signal handlers only between byte codes, so not during a long convolution, and libraries sometimes
    swallow the exception they raise. Therefore the block may unwind (files closed, states recorded) as long as it is
    quick; a thread that the operating system wakes ends the process when it is not, or at a second signal. Nothing is
    lost by that: the audit's files appear under their names only when they are complete.
    """
    watch = _Watch()
    try:
        yield
    finally:
        watch.end()


class _Watch:
    def __init__(self) -> None:
        self.arrived: int | None = None
        self._leaving = threading.Lock()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._handlers = [signal.signal(number, _raise) for number in SIGNALS]
        threading.Thread(target=self._wait, name="interrupt", daemon=True).start()

    def end(self) -> None:
        """The block is unwound: leave if that was because of a signal, else restore what was found."""
        if self.arrived is not None:
            self._leave(self.arrived)
        for number, handler in zip(SIGNALS, self._handlers, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        self._writer.close()

    def _wait(self) -> None:
        with self._reader:
            while self.arrived is None:
                received = self._reader.recv(1)
                if not received:
                    return
                self.arrived = received[0] if received[0] in SIGNALS else None
            self._reader.settimeout(PATIENCE_SECONDS)
            with suppress(TimeoutError):
                self._reader.recv(1)
            self._leave(self.arrived)

    def _leave(self, number: int) -> NoReturn:
        with self._leaving:
            for end in list(at_hard_exit):
                end()
            os.write(2, (SHOW_CURSOR + b"\n") * sys.stderr.isatty() + FAREWELL + b"\n")
            os._exit(128 + number)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
