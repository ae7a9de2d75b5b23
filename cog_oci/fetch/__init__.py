"""Every download: limited, verified, resumed, retried, in parallel. The only way bytes from outside get in.

Nothing here knows where things are: a caller gives addresses, several for one artifact where there are mirrors.
"""

from cog_oci.fetch._failures import FetchError, NotFoundError, OfflineError, redacted
from cog_oci.fetch._fetcher import Fetcher

__all__ = ["FetchError", "Fetcher", "NotFoundError", "OfflineError", "redacted"]
