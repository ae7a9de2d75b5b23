"""What Python 3.11 brought to asyncio and the server uses, for an image whose Python is 3.10 as well.

There it comes from `taskgroup`, which is among the server's wheels because Hypercorn needs it too. Apart from newer.py
because who makes one prediction without HTTP does without asyncio, which takes longer to load than all else of it.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):  # noqa: UP036 - the image's Python, not the builder's
    from asyncio import Runner, TaskGroup, timeout
else:
    from taskgroup import Runner, TaskGroup, timeout  # type: ignore[import-not-found,unused-ignore]

__all__ = ["Runner", "TaskGroup", "timeout"]
