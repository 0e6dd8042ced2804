"""Picking: which photographs of a pool fill the audit's orders."""
