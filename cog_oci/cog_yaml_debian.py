"""What cog.yaml says of Debian packages and archives, as it is written."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_serializer, model_validator

from cog_oci.apt import DEBIAN, fingerprint_of

__all__ = ["PACKAGE", "AptArchive", "SystemPackage", "check_archives"]

_NAME = "[a-z0-9][a-z0-9+.-]+"
_VERSION = "[A-Za-z0-9.+:~-]+"
_FILE = r"/\S+|\S+\.so(?:\.[0-9.]+)?"
"""No package is called so; who asks for a file is told which package has it."""

PACKAGE = f"{_NAME}(={_VERSION})?|{_FILE}"
"""What may be asked for, as a regular expression."""


def _name(text: str) -> str:
    if not re.fullmatch(f"{_NAME}|{_FILE}", text):
        raise ValueError(f"{text!r} is not the name of a Debian package")
    return text


def _version(text: str) -> str:
    if not re.fullmatch(_VERSION, text):
        raise ValueError(f"{text!r} is not the version of a Debian package")
    return text


def _address(text: str) -> str:
    match = re.fullmatch(r"https?://(?P<login>[^/@]*@)?[^/\s@]+(/\S*)?", text)
    if not match:
        raise ValueError("must be an address such as https://packages.example.com/debian")
    if match["login"]:
        raise ValueError("a login does not belong here; use netrc")
    return text


def _key(text: str) -> str:
    if "://" in text:
        return _address(text)
    if text.startswith(("/", "~")):  # it would be another file on another machine
        raise ValueError(f"{text!r} must be a file of the project, or an address")
    return text


def _fingerprint(text: str) -> str:
    found = fingerprint_of(text)
    if found is None:
        raise ValueError(f"{text!r} is not the fingerprint of a key: 40 hexadecimal digits, or 64")
    return found


def _archive_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
        raise ValueError(f"{text!r} cannot be the name of an archive: use small letters, digits and hyphens")
    return text


def _suite(text: str) -> str:
    if not re.fullmatch(r"[^\s/]\S*|/", text) or ".." in text.split("/"):
        raise ValueError(f"{text!r} is not a suite; write its name, or a folder with a slash at its end, such as ./")
    return text


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SystemPackage(_Section):
    """A Debian package: as text `name` or `name=version`."""

    name: Annotated[str, AfterValidator(_name)]
    version: Annotated[str, AfterValidator(_version)] | None = None
    recommends: bool = False

    @model_validator(mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if isinstance(value, str):
            if not re.fullmatch(PACKAGE, value):
                raise ValueError(f"{value!r} is not the name of a Debian package (name, or name=version)")
            name, _, version = value.partition("=")
            return {"name": name, "version": version or None}
        if not isinstance(value, dict | SystemPackage):
            raise ValueError("must be a name, or a mapping of name, version and recommends")  # noqa: TRY004 - theirs
        return value

    @property
    def text(self) -> str:
        """`name` or `name=version`."""
        return self.name if self.version is None else f"{self.name}={self.version}"

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        """As Cog has it where that says everything."""
        if not self.recommends:
            return self.text
        version = {} if self.version is None else {"version": self.version}
        return {"name": self.name, **version, "recommends": True}


class AptArchive(_Section):
    """A suite of an archive (sources.list(5)). Of Debian's own the tool knows the address and the keys."""

    name: Annotated[str, AfterValidator(_archive_name)]
    url: Annotated[str, AfterValidator(_address)] = ""
    suite: Annotated[str, AfterValidator(_suite)]
    components: list[Annotated[str, Field(pattern=r"^[^\s/]\S*$")]] = []
    key: Annotated[str, AfterValidator(_key)] = ""
    fingerprint: Annotated[str, AfterValidator(_fingerprint)] | None = None
    priority: Annotated[int, Field(ge=1, le=1000)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> AptArchive:
        own = self.name in DEBIAN
        if own and (self.url or self.key or self.fingerprint):
            raise ValueError(f"{self.name} is Debian's own archive, whose address and keys are known; leave them out")
        if not own and not (self.url and self.key):
            raise ValueError(f"{'url' if self.key else 'key'} is missing: where it is, and the key that signs it")
        if self.suite.endswith("/") and self.components:
            raise ValueError(f"the suite {self.suite} is a folder, which has no components; leave them out")
        if not self.suite.endswith("/") and not self.components:
            raise ValueError(
                "components are missing, such as [main]; a folder without any is a suite with a slash at its end"
            )
        if "://" in self.key and self.fingerprint is None:
            raise ValueError("a key that is fetched needs its fingerprint: 40 hexadecimal digits, from whoever owns it")
        return self


def check_archives(archives: list[AptArchive]) -> list[AptArchive]:
    """Several suites of one archive have one address. Raises ValueError."""
    addresses: dict[str, str] = {}
    suites: set[tuple[str, str]] = set()
    for one in archives:
        if addresses.setdefault(one.name, one.url) != one.url:
            raise ValueError(f"{one.name} has two addresses; two archives need two names")
        if (one.name, one.suite) in suites:
            raise ValueError(f"{one.name} {one.suite} is there twice; it may have several components")
        suites.add((one.name, one.suite))
    return archives
