"""Whether the plan helped."""
