"""What people look like: their face, their hair, and, only if asked for, what a classifier takes them for."""
