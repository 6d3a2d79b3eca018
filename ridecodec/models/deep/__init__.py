"""A model of samples of 16 bits: linear predictions that adapt, and logistics as wide as the errors around."""
