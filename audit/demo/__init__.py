"""The drawn dataset: soft, shaded portraits of people who do not exist."""
