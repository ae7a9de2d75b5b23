"""What a token server answers (Docker's token authentication)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

__all__ = ["Token"]


class Token(BaseModel):
    """A token, by either of its names, and for how many seconds it lasts."""

    token: str = ""
    access_token: str = ""
    expires_in: Annotated[float, Field(ge=0)] = 60.0  # what the protocol says when the server does not
