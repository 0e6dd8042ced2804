"""Files: the audit folder, shards of long work, tensors, and model files."""
