"""One audit from settings to a finished folder, and the public way to it from Python."""
