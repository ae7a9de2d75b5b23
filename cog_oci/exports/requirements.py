"""The model's wheels as a requirements file with hashes, as pip and uv install it with --require-hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cog_oci.exports._subject import Subject
    from cog_oci.lock import Wheel

__all__ = ["render"]


def render(subject: Subject) -> str:
    """One requirement a wheel, pinned by version and the hash of that very file, with who asked for it.

    It names no index: whoever installs from it uses their own. What was built is what it was built from, paths are from
    the project's folder, and a commit is its own hash, which pip does not count as one.
    """
    python = subject.parts.interpreter.version
    rows = [
        f"# The Python packages of {subject.name} for Python {python} on {subject.platform}, as cog.lock has them.\n"
    ]
    for wheel in subject.parts.wheels:
        via = f"    # via {', '.join(wheel.needed_by)}\n" if wheel.needed_by else ""
        place, sha256 = _place(wheel)
        hashed = f" \\\n    --hash=sha256:{sha256}" if sha256 else ""
        rows.append(f"{place}{hashed}\n{via}")
    return "".join(rows)


def _place(wheel: Wheel) -> tuple[str, str]:
    """What to install, and its sha256; none for a commit."""
    source = wheel.source
    if source is None:
        return f"{wheel.name}=={wheel.version}", wheel.sha256
    below = f"#subdirectory={source.subdirectory}" if source.subdirectory else ""
    if source.commit:
        return f"{wheel.name} @ git+{source.url}@{source.commit}{below}", ""
    sha256 = source.sha256 or wheel.sha256
    if source.index:
        return f"{wheel.name}=={wheel.version}", sha256
    return f"./{source.path}" if source.path else f"{wheel.name} @ {source.url}{below}", sha256
