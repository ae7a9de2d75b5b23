"""From a configuration to a lock: one file a source of packages."""
