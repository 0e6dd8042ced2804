"""Drawn portraits: soft, shaded pictures of people who do not exist."""
