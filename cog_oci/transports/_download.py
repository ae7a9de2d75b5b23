"""A body from a registry to its end: where a connection breaks, the next one takes it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import requests
import urllib3

from cog_oci.transports._failures import RegistryError

if TYPE_CHECKING:
    from types import TracebackType

    from cog_oci.transports._distribution import Repository

__all__ = ["Download"]

_CHUNK = 1 << 18
_BREAKS = 5  # connections that may break one after another without a byte in between


class Download:
    """The body at `path` below a repository, as a context; `media_type` is what the registry says it is.

    Raises RegistryError and LoginError, when it is entered and while it is read.
    """

    def __init__(self, repository: Repository, path: str, accept: str = "*/*") -> None:
        self._repository, self._path = repository, path
        # Digests are over what is stored, not over what somebody has compressed for the way.
        self._headers = {"Accept": accept, "Accept-Encoding": "identity"}
        self._response: requests.Response | None = None
        self._size = 0
        self._breaks = 0

    def __enter__(self) -> Self:
        self._response = self._open()
        self.media_type = self._response.headers.get("Content-Type", "").partition(";")[0].strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What is not read is not waited for."""
        if self._response is not None:
            self._response.close()

    def read(self, size: int) -> bytes:
        """The next bytes, `size` at most; none at the end."""
        while True:
            try:
                if self._response is None:
                    self._response = self._open()
                data: bytes = self._response.raw.read1(min(size, _CHUNK), decode_content=False)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self._broken(error)
            else:
                self._size += len(data)
                self._breaks = 0 if data else self._breaks
                return data

    def _open(self) -> requests.Response:
        """From where the last connection ended, whether or not the registry heeds Range (RFC 9110 §14)."""
        wanted = {"Range": f"bytes={self._size}-"} if self._size else {}
        response = self._repository.get(self._path, {**self._headers, **wanted})
        skipped = 0 if response.status_code == requests.codes.partial_content else self._size
        while skipped and (data := response.raw.read1(min(skipped, _CHUNK), decode_content=False)):
            skipped -= len(data)
        return response

    def _broken(self, error: Exception) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None
        self._breaks += 1
        if self._breaks > _BREAKS:
            where = f"{self._repository.host}/{self._repository.path}/{self._path}"
            raise RegistryError(
                f"https://{where}", f"the connection breaks after {self._size} bytes, again and again"
            ) from error
