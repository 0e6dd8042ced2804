"""Which cues one photograph shows, and where."""
