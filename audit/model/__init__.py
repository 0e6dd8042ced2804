"""The network, its activations and its training."""
