"""Files of pictures, read and written: their samples and all that they say beside them."""
