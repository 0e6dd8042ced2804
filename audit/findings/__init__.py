"""Verdicts, their sentences, and audit.json."""
