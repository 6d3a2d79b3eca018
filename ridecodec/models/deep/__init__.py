"""A model of samples of 16 bits: linear prediction fitted to the tile, and logistics as wide as the errors around."""
