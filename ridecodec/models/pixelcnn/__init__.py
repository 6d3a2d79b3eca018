"""PixelCNN and its kin (van den Oord et al., 2016): networks of masked convolutions, and PixelRNN."""
