"""One prediction without HTTP, for `cog-oci run`: the request on standard input, what happens on standard output.

Little is imported before the worker is on its way: what comes of it is told by conversation.py.
"""

from __future__ import annotations

import os
import signal

from cog_oci.server.process import spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str]) -> None:
    """Predict, or train where the argument is `trainings`, once; whatever comes of it is told."""
    signal.signal(signal.SIGTERM, _quit)  # process 1, as of a container, has no default action
    train = "trainings" in arguments
    process = spawn(os.environ["COG_TRAIN_TYPE_STUB" if train else "COG_PREDICT_TYPE_STUB"], os.environ, train=train)
    from cog_oci.server.conversation import converse  # noqa: PLC0415 - the worker gets ahead meanwhile

    converse(process)
    os._exit(0)  # all has been told and nothing is open: whoever waits for the end need not wait for Python to tidy up


def _quit(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    os._exit(128 + number)  # the worker ends when nobody is there any more
