"""Forms that a tile can take in a file: coded by a model, packed by a general coder, or turned into a simpler part."""
