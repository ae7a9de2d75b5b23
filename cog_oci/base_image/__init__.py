"""Somebody else's image as the base of ours: read in its registry, looked through, and kept as it is.

`read` brings it into the store and finds out what it has; `bring` fetches the layers that a lock names. Nothing of the
image is executed.
"""
