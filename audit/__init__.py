"""Find shortcuts in labelled photographs before a classifier learns them."""

__version__ = "0.1.0"
