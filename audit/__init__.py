"""Find shortcuts in labelled photographs before a classifier learns them."""

from audit.store.version import __version__

__all__ = ["__version__"]
