"""Verdicts, their sentences, and audit.json with its schema."""
