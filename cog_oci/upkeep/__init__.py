"""The life of a lock: whether it fits, making it anew with what still fits, and what a change of it costs."""
