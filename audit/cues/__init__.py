"""Which cues each photograph shows, and where."""
