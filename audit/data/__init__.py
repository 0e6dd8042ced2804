"""From files to pixels, duplicate groups and folds."""
