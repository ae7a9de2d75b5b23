"""What runs a container of an image: a Docker daemon, podman, or nothing but this machine's kernel."""

from cog_oci.engines._choose import ENGINES, choose
from cog_oci.engines._engine import Container, Engine, EngineError, Launch, Offer, Port, Runnable, host_architecture

__all__ = [
    "ENGINES",
    "Container",
    "Engine",
    "EngineError",
    "Launch",
    "Offer",
    "Port",
    "Runnable",
    "choose",
    "host_architecture",
]
