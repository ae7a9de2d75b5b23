"""Whether an image is a closed world: every library that a file of it needs is there, with the versions it wants.

Nothing is run. The layers are read from the store, once: what is known of a layer is kept by its diff ID, and what was
found by the layers that it was found in, so that a change of the code alone costs a look at the code.
"""
