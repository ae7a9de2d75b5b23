"""The Quart application: all routes, and the answers to what is no route."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from quart import Quart, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from cog_oci.server.routes import ROUTES
from cog_oci.server.routes._respond import text_answer

if TYPE_CHECKING:
    from cog_oci.server.service import Service

__all__ = ["create_app"]

BODY_BYTES = 100 << 20
BODY_SECONDS = 300.0


class _IdConverter(BaseConverter):
    """Any prediction id, slashes and all: an id is a name, never a path."""

    regex = ".+"
    part_isolating = False


def create_app(service: Service) -> Quart:
    """An ASGI application over `service`."""
    app = Quart("cog_oci.server", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_SECONDS
    app.config["RESPONSE_TIMEOUT"] = None  # a client may read a large answer as slowly as it has to
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.url_map.converters["id"] = _IdConverter
    app.logger.handlers = []
    app.logger.parent = logging.getLogger("cog_oci")
    for routes in ROUTES:
        app.register_blueprint(routes(service))
    app.register_error_handler(HTTPException, _http_error)
    return app


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
