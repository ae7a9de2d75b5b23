"""`python -m cog_oci.server`: start the worker, then load the HTTP stack while the model sets itself up."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from typing import NoReturn

from cog_oci.server.process import environment_of, spawn
from cog_oci.server.settings import Settings, SettingsError, read_settings

__all__ = ["main"]

_BACKLOG = 2048


def main() -> NoReturn:
    """Serve until told to stop; exit status 1 when the server cannot start."""
    signal.signal(signal.SIGTERM, _quit)  # until the server can end in an orderly way; process 1 has no default action
    try:
        settings = read_settings(sys.argv[1:], os.environ)
        listener = _listen(settings)
        worker = spawn(settings.reference, environment_of(0, settings.workers, os.environ), train=settings.train)
    except (SettingsError, OSError) as error:
        sys.exit(f"ERROR: {error}")
    gc.disable()  # what is imported stays: looking for garbage in it is a tenth of the start
    from cog_oci.server.serving import serve  # noqa: PLC0415 - takes 200 ms, in which the worker gets ahead

    gc.freeze()
    gc.enable()
    serve(settings, listener, worker)
    sys.exit(0)


def _quit(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    sys.exit(0)


def _listen(settings: Settings) -> socket.socket:
    """A socket that clients can connect to from this moment; they wait until the server has loaded.

    Raises SettingsError when the address is not ours, not known or in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted inherits it
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        raise SettingsError(f"cannot listen on {where}: {error.strerror}; change --host or PORT") from error
    return listener


if __name__ == "__main__":
    main()
