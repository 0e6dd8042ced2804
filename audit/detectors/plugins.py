"""What installed packages bring: loaded when it is asked for, and refused by name when it cannot be used."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

from audit.errors import ConfigError


def load_plugin(point: EntryPoint, promised: Sequence[str], noun: str) -> Any:
    """What an entry point names, which must have the ``promised`` attributes; ``noun`` is what it is to be.

    Raises ConfigError, naming the package, when it fails to load or lacks one of them.
    """
    try:
        plugin = point.load()
        for name in promised:
            getattr(plugin, name)
    except Exception as error:  # a plugin may fail in any way while it is imported
        raise ConfigError(
            f"The {noun} '{point.name}' ({point.value}) cannot be used: {error!r}; update or uninstall it."
        ) from None
    return plugin
