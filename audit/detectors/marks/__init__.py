"""Detectors for what somebody put on a photograph: borders, letters, patches, printed marks."""
