"""Files: the audit folder, tensors, model files and the schemas of what other programs read."""
