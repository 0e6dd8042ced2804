"""Facts that are measured on a file while it is decoded."""
