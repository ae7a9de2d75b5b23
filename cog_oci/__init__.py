"""Package a machine-learning model as a container image, without Docker."""

__version__ = "0.1.0"
