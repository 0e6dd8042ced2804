"""Which bias-audit this is, as the files that it writes say."""

__version__ = "0.1.0"
