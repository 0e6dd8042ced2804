"""Copies that were cropped, mirrored, stretched, brightened or captioned: found by local features, told by pixels."""
