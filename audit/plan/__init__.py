"""How to balance a dataset: what to collect, leave out, weight or mask."""
