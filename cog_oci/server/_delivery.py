"""One webhook on its way: the request itself, how many may be out at once, and what is tried again.

Requests are made in threads, one each, because `requests` blocks; waiting for another try is the loop's. The threads
are daemons: a receiver that never answers must not hold up the end of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from cog_oci import __version__
from cog_oci.server.newer import UTC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

__all__ = ["Courier", "Receiver"]

_RETRIES = 12
"""How often the terminal event is tried again; with the waits between, for more than a quarter of an hour."""

_BACKOFF = 0.1
"""Seconds, doubled with every try: 0.2, 0.4, 0.8, …"""
_LONGEST_ADVICE = 600.0
"""Seconds that a receiver may ask us to wait (Retry-After) before the next try."""
_TIMEOUT = (5.0, 30.0)
"""Seconds for a connection, and for an answer."""
_AT_ONCE = 32
_AT_ONCE_EACH = 8
"""Of these for one receiver: several that hang leave room for the others."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_ANSWER_BYTES = 4096
"""A longer answer is not read: the connection is closed instead of used again."""

log = logging.getLogger("cog_oci.webhook")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the events of one prediction go. `headers` are passed on from the client's request."""

    url: str = field(repr=False)  # it may have a secret in it
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of one request; no `problem` is success."""

    problem: str | None = None
    transient: bool = False
    usable: bool = True
    wait: float = 0.0


class Courier:
    """Makes the requests. `token` goes to every receiver as `Authorization: Bearer`.

    `counted` hears of each request: of an interim or a terminal event, which was delivered, failed or is to be retried.
    """

    def __init__(self, token: str | None, counted: Callable[[str, str], None]) -> None:
        self._token = (token or "").strip()  # files of secrets end in a newline
        self._counted = counted
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._each: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._session: requests.Session | None = None
        self._lock = threading.Lock()

    async def deliver(self, receiver: Receiver, body: bytes, *, prediction: str, terminal: bool) -> bool:
        """Send one event; a terminal one again and again until it is taken or there is no hope.

        Whether `receiver` is one: False where its URL cannot be used, so that nothing will ever arrive there.
        """
        extra = {"prediction_id": prediction}
        kind = "terminal" if terminal else "interim"
        for attempt in range(1, _RETRIES + 2):
            result = await self._post(receiver, body)
            if result.problem is None:
                self._counted(kind, "delivered")
                return True
            again = terminal and result.usable and result.transient and attempt <= _RETRIES
            self._counted(kind, "retried" if again else "failed")
            if not result.usable:
                log.warning(
                    "The webhook's URL cannot be used (%s), no event is sent. It must be an http or https URL",
                    result.problem,
                    extra=extra,
                )
                return False
            if not terminal:  # the next one says more: a receiver that is down is no news each time
                log.debug("Webhook failed: %s", result.problem, extra=extra)
                return True
            if not again:
                log.error("Terminal webhook failed after %d attempts: %s", attempt, result.problem, extra=extra)
                return True
            wait = max(_BACKOFF * 2**attempt, min(result.wait, _LONGEST_ADVICE))
            log.warning(
                "Terminal webhook failed, retrying: %s, attempt %d, in %.0f ms",
                result.problem,
                attempt,
                wait * 1000,
                extra=extra,
            )
            await asyncio.sleep(wait)
        return True

    def close(self) -> None:
        """Let go of idle connections."""
        if self._session is not None:
            self._session.close()

    async def _post(self, receiver: Receiver, body: bytes) -> _Result:
        async with self._for(receiver), self._at_once:
            try:
                return await _in_thread(lambda: self._request(receiver, body))
            except RuntimeError as error:  # there are no more threads to be had
                return _Result(str(error), transient=True)

    def _for(self, receiver: Receiver) -> asyncio.Semaphore:
        """What the receivers on one host share; it is forgotten with the last request to it."""
        _, _, place = receiver.url.partition("//")
        host = place.partition("/")[0]
        semaphore = self._each.get(host)
        if semaphore is None:
            semaphore = self._each[host] = asyncio.Semaphore(_AT_ONCE_EACH)
        return semaphore

    def _request(self, receiver: Receiver, body: bytes) -> _Result:
        """On a thread of its own."""
        try:
            with self._connect().post(
                receiver.url,
                data=body,
                headers={
                    **receiver.headers,
                    "Content-Type": "application/json",
                    "User-Agent": f"cog-oci/{__version__}",
                },
                auth=self._authorize,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                return _judge(response)
        except ValueError as error:  # requests has no other word for a bad URL or header
            return _Result(type(error).__name__, usable=False)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong on the way may go right the next time
            return _Result(_reason(error), transient=True)

    def _connect(self) -> requests.Session:
        """What all requests share: connections, and nothing that one receiver could leave for another."""
        with self._lock:
            if self._session is None:
                from http.cookiejar import DefaultCookiePolicy  # noqa: PLC0415 - with the next

                import requests  # noqa: PLC0415 - takes long to import: only where somebody wants webhooks

                self._session = requests.Session()
                self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
                for scheme in ("http://", "https://"):
                    adapter = requests.adapters.HTTPAdapter(pool_connections=_AT_ONCE, pool_maxsize=_AT_ONCE_EACH)
                    self._session.mount(scheme, adapter)
            return self._session

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """The token, or what the URL carries. Given to requests so that it looks for nothing in a .netrc."""
        from requests import auth, utils  # noqa: PLC0415 - takes long to import: only where somebody wants webhooks

        user, password = utils.get_auth_from_url(request.url or "")
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        elif user or password:
            request = auth.HTTPBasicAuth(user, password)(request)
        return request


async def _in_thread(work: Callable[[], _Result]) -> _Result:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def settle(result: _Result) -> None:
        if not future.done():
            future.set_result(result)

    def run() -> None:
        result = work()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="cog-webhook", daemon=True).start()
    return await future


def _judge(response: requests.Response) -> _Result:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= _ANSWER_BYTES:
        _ = response.content  # so that the connection can be used again
    if response.ok and not response.is_redirect and response.status_code < 300:
        return _Result()
    transient = response.status_code in _TRANSIENT
    return _Result(f"status {response.status_code}", transient, wait=_retry_after(response.headers))


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the receiver asks us to wait (RFC 9110 §10.2.3), 0 where it does not say."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _reason(error: BaseException) -> str:
    """What went wrong, in the system's words; not in those of requests, which has the whole URL in them."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"{type(error).__name__}: {cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
