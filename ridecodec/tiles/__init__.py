"""The codec: how a picture is cut into tiles, which form each gets, and who codes it."""
