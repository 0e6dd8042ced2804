"""Detectors for what people consist of: face, eyes, hair, skin, clothing, and the subject itself."""
