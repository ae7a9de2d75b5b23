"""`python -m cog.server.http`, the command line of Cog's images, starts the server of this image."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]


def main() -> None:
    """Become the server: same arguments, same environment, but the interpreter and the packages of its own.

    COG_OCI_SERVER names the server's folder (default: `server` beside the SDK) and COG_OCI_SERVER_PYTHON the
    interpreter (default: the one that this virtual environment was made with).
    """
    sdk = Path(__file__).resolve().parents[2]
    server = os.environ.get("COG_OCI_SERVER") or str(sdk.parent / "server")
    python: str = os.environ.get("COG_OCI_SERVER_PYTHON") or str(getattr(sys, "_base_executable", sys.executable))
    if not Path(server, "__main__.py").is_file():
        sys.exit(f"{server} holds no server; set COG_OCI_SERVER to the folder of its __main__.py")
    os.environ.setdefault("COG_OCI_PYTHON", sys.executable)
    os.execv(python, [python, "-I", "-S", server, *sys.argv[1:]])  # noqa: S606 - one program in place of another


if __name__ == "__main__":
    main()
