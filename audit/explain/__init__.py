"""The maps of a whole dataset, and what is made of them."""
