"""Errors on the command line: an exit code, one clear sentence, and the traceback in a file."""

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from audit.errors import (
    AuditFolderError,
    BiasAuditError,
    ConfigError,
    DatasetError,
    MissingModelFile,
    ModelFileError,
    OutputError,
)

FAILURE = 1
BAD_INPUT = 2
FINDINGS = 3
INPUT_ERRORS = (ConfigError, DatasetError, MissingModelFile, ModelFileError, AuditFolderError, OutputError)


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn an exception into its sentence on the standard error stream and its exit code."""
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        if not isinstance(error, BiasAuditError) and not hasattr(error, "__notes__"):
            _keep_traceback(error, Path(tempfile.mkdtemp(prefix="bias-audit-")) / "error.log")
        _say(error)
        raise typer.Exit(BAD_INPUT if isinstance(error, INPUT_ERRORS) else FAILURE) from None


@contextmanager
def error_log(folder: Path) -> Iterator[None]:
    """Keep the traceback of an error that is not the user's in ``folder``/error.log, and have the error name it.

    Raises what the block raises.
    """
    log = folder / "error.log"
    log.unlink(missing_ok=True)
    try:
        yield
    except INPUT_ERRORS:
        raise
    except Exception as error:
        _keep_traceback(error, log)
        raise


def _keep_traceback(error: Exception, log: Path) -> None:
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    error.add_note(f"The full traceback is in {log}")


def _say(error: Exception) -> None:
    from flows.terminal import say_error

    expected = isinstance(error, BiasAuditError)
    sentence = str(error) if expected else f"Unexpected {error.__class__.__name__}: {error}"
    say_error("\n".join([sentence, *getattr(error, "__notes__", ())]))
