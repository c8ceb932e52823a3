"""Data sets as users hold them. Each module's `read_songs(root, splits) -> Listing`."""
