"""The Quart application: all routes, and the answers to what is no route."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from cog_oci.server.authorization import PUBLIC_PATHS
from cog_oci.server.endpoint import BODY_BYTES
from cog_oci.server.routes import ROUTES
from cog_oci.server.routes._respond import json_answer, text_answer

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope

    from cog_oci.server.authorization import Authorization
    from cog_oci.server.service import Service

__all__ = ["create_app"]

BODY_SECONDS = 300.0


_SLASH = "\udc2f"
"""A slash that a path has as %2F, and that therefore separates nothing; no path that is UTF-8 has this itself."""


class _IdConverter(BaseConverter):
    """Any prediction id, slashes and all, which come as %2F: an id is a name, never a path."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return value.replace(_SLASH, "/")


class _App(Quart):
    """Quart, with paths as they were sent: %2F is no separator, and two slashes are not one."""

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            raw = scope["raw_path"].partition(b"?")[0]
            if b"%2f" in raw.lower():
                scope["path"] = "/".join(
                    unquote_to_bytes(part).decode("utf-8", "replace").replace("/", _SLASH) for part in raw.split(b"/")
                )
            elif raw.startswith(b"//") or not (raw.startswith(b"/") or _is_url(raw)):
                scope["path"] = "/" + _SLASH
        await super().__call__(scope, receive, send)


def _is_url(target: bytes) -> bool:
    """Whether a request's target is a whole URL, as proxies send it (RFC 9112 §3.2.2)."""
    try:
        return bool(urlsplit(target.decode("ascii")).netloc)
    except ValueError:
        return False


def create_app(service: Service) -> Quart:
    """An ASGI application over `service`."""
    app = _App("cog_oci.server", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_SECONDS
    app.config["RESPONSE_TIMEOUT"] = None  # a client may read a large answer as slowly as it has to
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.url_map.converters["id"] = _IdConverter
    app.logger.handlers = []
    app.logger.parent = logging.getLogger("cog_oci")
    if service.authorization.required:
        _guard(app, service.authorization)
    for routes in ROUTES:
        app.register_blueprint(routes(service))
    app.register_error_handler(HTTPException, _http_error)
    return app


def _guard(app: Quart, authorization: Authorization) -> None:
    """Answer 401 before anything else is done, what is no route included."""

    @app.before_request
    async def check() -> Response | None:
        given = request.headers.get("Authorization")
        if request.path in PUBLIC_PATHS or authorization.allows(given):
            return None
        text = "This server answers requests with its token only: Authorization: Bearer <token>"
        response = json_answer({"error": text, "status": "failed"}, 401)
        response.headers["WWW-Authenticate"] = authorization.challenge(given)
        if request.http_version in {"1.0", "1.1"}:
            response.headers["Connection"] = "close"  # the body is not read, so there is no next request after it
        return response


def _http_error(error: HTTPException) -> Response:
    """An empty answer, as Cog gives; a body that is too large is told so."""
    if error.code == 413:
        return text_answer("Failed to buffer the request body: length limit exceeded", 413)
    response = Response(b"", error.code or 500)
    del response.headers["Content-Type"]
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers["Allow"] = ",".join(sorted(part.strip() for part in value.split(",")))
    return response
