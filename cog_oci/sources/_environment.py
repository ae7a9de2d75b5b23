"""What a build runs in: an environment with its requirements, made of wheels, that the sandbox mounts at /build."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from cog_oci.errors import CogError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cog_oci.lock import Wheel
    from cog_oci.store import Store

__all__ = ["PLACE", "make_environment", "variables"]

PLACE = "/build"
"""Where the sandbox has the folder: always the same, for compilers write it into what they make."""

_EPOCH = "315532800"  # 1980-01-01, in seconds: the earliest time that a zip archive can say


def make_environment(folder: Path, python_version: str, executable: str, wheels: Iterable[Wheel], store: Store) -> None:
    """A virtual environment (PEP 405) in `folder`/env with these wheels, which are in the store."""
    from installer import install  # noqa: PLC0415 - few locks build anything
    from installer.destinations import SchemeDictionaryDestination  # noqa: PLC0415 - likewise
    from installer.exceptions import InstallerError  # noqa: PLC0415 - likewise
    from installer.sources import WheelFile  # noqa: PLC0415 - likewise

    root = folder / "env"
    site = root / "lib" / f"python{python_version}" / "site-packages"
    binary = root / "bin"
    for made in (site, binary):
        made.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{python_version}"):
        if not (binary / name).is_symlink():
            (binary / name).symlink_to(executable)
    home = executable.rpartition("/")[0]
    settings = f"home = {home}\ninclude-system-site-packages = false\nversion = {python_version}\n"
    (root / "pyvenv.cfg").write_text(settings)
    schemes = {
        "purelib": str(site),
        "platlib": str(site),
        "headers": str(root / "include"),
        "scripts": str(binary),
        "data": str(root),
    }
    for wheel in wheels:
        if any(site.glob(f"{wheel.file.split('-')[0]}-*.dist-info")):
            continue
        # By its own name, which `installer` reads.
        link = folder / PurePath(wheel.file).name
        link.symlink_to(store.path(wheel.digest))
        try:
            with WheelFile.open(link) as source:
                destination = SchemeDictionaryDestination(schemes, f"{PLACE}/env/bin/python", "posix")
                install(source, destination, {"INSTALLER": b"cog-oci\n"})
        except (InstallerError, ValueError, KeyError, FileExistsError) as error:
            raise CogError(f"{wheel.file} cannot be installed to build with: {error}") from error
        finally:
            link.unlink()


def variables() -> dict[str, str]:
    """The environment of a build: nothing of this machine, and no clock."""
    return {
        "PATH": f"{PLACE}/env/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "VIRTUAL_ENV": f"{PLACE}/env",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "SOURCE_DATE_EPOCH": _EPOCH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PIP_NO_INDEX": "1",
    }
