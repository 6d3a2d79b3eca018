"""Engines run programs: the same integers, and the same bytes, on each of them."""
