"""The five kinds of evidence about a cue and a class, as pure functions on arrays."""
