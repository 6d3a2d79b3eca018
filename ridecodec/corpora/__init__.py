"""The papers' sets of pictures: where to get them, fetching them, and making those that can be made."""
