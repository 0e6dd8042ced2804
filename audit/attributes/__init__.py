"""What a region of a photograph is like, with words for both ends: one file per part."""
