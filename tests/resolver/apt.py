"""The real apt, with folders of its own, as an oracle."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Apt"]


class Apt:
    """apt with folders of its own, an empty dpkg database and no recommendations."""

    def __init__(self, folder: Path, architecture: str, sources: list[str], preferences: str = "") -> None:
        for name in (
            "state/lists/partial",
            "cache/archives/partial",
            "etc/preferences.d",
            "etc/trusted.gpg.d",
            "parts",
        ):
            (folder / name).mkdir(parents=True)
        (folder / "etc" / "sources.list").write_text("".join(f"{line}\n" for line in sources))
        (folder / "etc" / "preferences").write_text(preferences)
        settings = {
            "Dir": folder,
            "Dir::State": folder / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": folder / "cache",
            "Dir::Etc": folder / "etc",
            "Dir::Etc::sourcelist": folder / "etc" / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::parts": folder / "parts",
            "Dir::Etc::main": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        }
        self._config = folder / "apt.conf"
        text = "".join(f'{key} "{value}";\n' for key, value in settings.items())
        self._config.write_text(f'{text}APT::Architectures {{ "{architecture}"; }};\n')
        self.run("update", "-o", "APT::Update::Error-Mode=any")

    def run(self, *arguments: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._config), "LC_ALL": "C"}
        done = subprocess.run(
            ["apt-get", "-q", *arguments], env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def closure(self, names: list[str]) -> dict[str, str]:
        lines = self.run("-s", "-y", "install", *names)
        return {match[1]: match[2] for match in re.finditer(r"^Inst (\S+) \((\S+)", lines, re.MULTILINE)}

    def addresses(self, *names: str) -> list[str]:
        """Where the debs of a closure come from, sorted."""
        return sorted(re.findall(r"^'([^']*)'", self.run("--print-uris", "-y", "install", *names), re.MULTILINE))

    def closures(self, sets: list[list[str]], *options: str) -> list[dict[str, str]]:
        """Those of many sets, without the rehearsal of unpacking that -s adds to the same resolution."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda names: self._to_fetch(names, options), sets))

    def _to_fetch(self, names: list[str], options: tuple[str, ...]) -> dict[str, str]:
        lines = self.run("--print-uris", "-y", *options, "install", *names)
        files = re.finditer(r"^'[^']*' ([^_\s]+)_([^_\s]+)_\w+\.deb ", lines, re.MULTILINE)
        return {match[1]: match[2].replace("%3a", ":") for match in files}
