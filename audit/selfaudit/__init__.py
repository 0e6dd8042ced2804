"""The audit's own false alarms, and what it would have missed."""
