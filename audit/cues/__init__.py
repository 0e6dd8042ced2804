"""What the audit knows of each cue in every photograph."""
