"""Asking every detector and attribute about every photograph, and keeping what they answer."""
