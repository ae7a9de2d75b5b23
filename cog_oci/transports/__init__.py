"""Ways for an image to leave the store: one file each."""
