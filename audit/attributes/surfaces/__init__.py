"""What surfaces look like: colours, light, pattern, of clothing, backgrounds, objects and patches."""
