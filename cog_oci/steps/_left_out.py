"""What a step leaves behind that is no part of its result: it changes from run to run, or only this run had use for it.

docs/build-steps.md lists the same for people.
"""

from __future__ import annotations

__all__ = ["FILES_LEFT_OUT", "LEFT_OUT"]

_PATHS = (
    # Mounted while it runs.
    *("proc", "sys", "dev"),
    # For the time being, by their very name; Docker would keep them.
    *(r"tmp/.+", r"var/tmp/.+"),
    # apt's and dpkg's working files: lists, packages fetched, the state before.
    *(r"var/lib/apt/lists/.+", r"var/lib/apt/periodic/.+", r"var/cache/apt/.+", r"var/cache/debconf/.+-old"),
    *(r"var/lib/dpkg/.+-old", r"var/lib/dpkg/lock(-frontend)?", r"var/lib/dpkg/triggers/Lock"),
    # Passwords and groups as they were before the last change of them.
    *(r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-", r"etc/\.pwd\.lock"),
    # Caches with times in them, made again when they are missed.
    *(r"var/cache/(ldconfig|fontconfig|man)/.+", r"(root|home/[^/]+)/\.cache/(pip|uv|pypoetry|yarn|go-build)"),
    *(r"(root|home/[^/]+)/\.npm", r"(root|home/[^/]+)/\.(wget-hsts|bash_history|python_history|lesshst)"),
    # What a machine is told apart by, drawn by lot.
    *(r"etc/machine-id", r"var/lib/dbus/machine-id", r"var/lib/systemd/random-seed"),
)
LEFT_OUT = "|".join(f"(?:{path})" for path in _PATHS)
"""A regular expression for whole paths without the first slash: these, and all below them."""

FILES_LEFT_OUT = r"var/log/.+"
"""The same for files alone: a service may need the folder that its package has made for its logs."""
