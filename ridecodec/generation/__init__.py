"""What the models can make up: samples, textures, and the missing parts of pictures."""
