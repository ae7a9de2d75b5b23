"""Sixty Debian packages that ML projects ask for, as bookworm and trixie call them, and sets drawn from them."""

from __future__ import annotations

import random

__all__ = ["RENAMED", "drawn", "packages"]

_EVERYWHERE = """
ffmpeg git git-lfs libgl1 libsm6 libxext6 libxrender1 libegl1 xvfb libsndfile1 sox flac espeak-ng portaudio19-dev
libopenblas0 libgomp1 liblapack3 libgfortran5 gdal-bin libgeos-c1v5 libhdf5-dev libmagic1 libmagickwand-dev imagemagick
tesseract-ocr poppler-utils ghostscript pandoc graphviz fontconfig fonts-dejavu-core libcairo2 libpango-1.0-0
libheif1 libpq5 sqlite3 libsqlite3-0 build-essential gfortran cmake pkg-config ninja-build ccache
rsync openssh-client wget curl aria2 unzip p7zip-full jq procps tmux vim-tiny zsh
nodejs ruby perl
"""

RENAMED = {
    "bookworm": ("libglib2.0-0", "openjdk-17-jre-headless"),
    "trixie": ("libglib2.0-0t64", "openjdk-21-jre-headless"),
}
"""What has another name in each: the 64-bit time_t, and the version of Java."""


def packages(release: str) -> list[str]:
    """The sixty of a release, sorted."""
    return sorted({*_EVERYWHERE.split(), *RENAMED[release]})


def drawn(release: str, count: int) -> list[list[str]]:
    """So many sets of one to eight of them, the same in every run."""
    chance = random.Random(f"sets of {release}")
    return [sorted(chance.sample(packages(release), chance.randint(1, 8))) for _ in range(count)]
