"""From a lock to layers: one file a kind, with one writer of tar and of envelopes beneath them."""
