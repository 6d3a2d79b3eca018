"""Torch: the engine of GPUs, and the networks of programs in training."""
