"""The name of an image, as people write it and as programs do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cog_oci.errors import CogError

__all__ = ["Reference"]

_REFERENCE = re.compile(
    r"(?:(?P<host>(?:localhost|\[[0-9a-fA-F:]+\])(?::\d+)?|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?::\d+)?|[a-zA-Z0-9-]+:\d+)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image: `host/path:tag` (distribution-spec, "pulling manifests"; Docker's short names)."""

    host: str
    path: str
    tag: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """`name`, `name:tag`, `host/name:tag`; the tag is `latest` when there is none. CogError for anything else."""
        match = _REFERENCE.fullmatch(text)
        if not match:
            raise CogError(
                f"{text!r} is not the name of an image",
                hint="use NAME[:TAG] in lower case, as in registry.example.com/you/model:v1",
            )
        host, path = match["host"] or "docker.io", match["path"]
        if host == "docker.io" and path.count("/") == 1:
            path = path.removeprefix("library/")  # where Docker Hub keeps the names without an owner
        return cls(host, path, match["tag"] or "latest")

    @property
    def full(self) -> str:
        """With the host always, as containerd writes it."""
        library = "library/" if self.host == "docker.io" and "/" not in self.path else ""
        return f"{self.host}/{library}{self.path}:{self.tag}"

    @property
    def familiar(self) -> str:
        """Without Docker Hub's host, as `docker images` shows it."""
        host = "" if self.host == "docker.io" else f"{self.host}/"
        return f"{host}{self.path}:{self.tag}"
