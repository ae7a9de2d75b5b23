"""What Python 3.11 brought and the server uses, for an image whose Python is 3.10 as well."""

from __future__ import annotations

import sys
from datetime import timezone

if sys.version_info >= (3, 11):  # noqa: UP036 - the image's Python, not the builder's
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):  # noqa: UP042 - this is what stands for it
        """A name that is its text, also where it is printed."""

        __str__ = str.__str__


__all__ = ["UTC", "StrEnum"]

UTC = timezone.utc  # noqa: UP017 - `datetime.UTC` is what this stands for
