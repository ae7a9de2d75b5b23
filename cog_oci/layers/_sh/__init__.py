"""The shell of maintainer scripts: parsed, and evaluated without a process."""
