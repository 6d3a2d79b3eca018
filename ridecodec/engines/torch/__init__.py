"""Torch: the backends that are no programs yet, on CPU and CUDA."""
