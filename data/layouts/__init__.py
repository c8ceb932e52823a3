"""Data sets as they are published: each module has `read_songs(root, splits)`."""
