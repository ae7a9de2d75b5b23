"""Sixty Debian packages that models ask for, each with what shows that it works.

A command is for `sh -c` in the image; a library is loaded by the image's own Python.
"""

from __future__ import annotations

__all__ = ["corpus"]

PROGRAMS = {
    "aria2": "aria2c --version",
    "build-essential": "echo 'int main(void) { return 0; }' > /tmp/a.c && cc /tmp/a.c -o /tmp/a && /tmp/a && c++ --version",
    "ca-certificates": "$PYTHON -c 'import ssl; assert len(ssl.create_default_context().get_ca_certs()) > 100'",
    "cmake": "cmake --version",
    "curl": "curl --version",
    "espeak-ng": "espeak-ng --version",
    "ffmpeg": "ffmpeg -version",
    "flac": "flac --version",
    "fluidsynth": "fluidsynth --version && test -e /usr/share/sounds/sf3/default-GM.sf3",
    "fontconfig": "fc-match sans",
    "fonts-dejavu-core": "fc-list | grep -q DejaVuSans.ttf",
    "gdal-bin": "gdalinfo --version",
    "gfortran": "gfortran --version && f95 --version",
    "ghostscript": "gs -q -dNODISPLAY -dBATCH -c '(x) == quit'",
    "git": "git init /tmp/g && git -C /tmp/g status",
    "git-lfs": "git lfs version && git config --system filter.lfs.clean",
    "graphviz": "echo 'digraph { a -> b }' | dot -Tpng | head -c 4 | grep -q PNG",
    "htop": "htop --version",
    "imagemagick": "convert -size 4x4 xc:red /tmp/a.png && identify /tmp/a.png",
    "jq": "echo '{\"a\": 1}' | jq .a",
    "lame": "lame --version",
    "less": "less --version",
    "libgdk-pixbuf-2.0-0": "grep -q gif /usr/lib/*/gdk-pixbuf-2.0/2.10.0/loaders.cache",
    "libhdf5-dev": "pkg-config --modversion hdf5",
    "liblapack-dev": "pkg-config --libs lapack",
    "libmariadb-dev": "mariadb_config --version && grep -q conf.d /etc/mysql/my.cnf",
    "libpq-dev": "pg_config --version",
    "locales": "localedef -i de_DE -f UTF-8 /tmp/de_DE.UTF-8",
    "mediainfo": "mediainfo --Version | grep -q MediaInfoLib",
    "nano": 'nano --version && test "$(readlink /etc/alternatives/editor)" = /bin/nano',
    "ninja-build": "ninja --version",
    "nodejs": "node --version",
    "openssh-client": "ssh -V && ssh-keygen -q -N '' -f /tmp/key",
    "p7zip-full": "7z a /tmp/a.7z /etc/passwd",
    "pandoc": "echo '*a*' | pandoc -t html",
    "perl": "perl -MEncode -e 'print encode(q(UTF-8), q(a))'",
    "pkg-config": "pkg-config --version",
    "poppler-utils": "pdftotext -v",
    "postgresql-client": "psql --version",
    "procps": "ps aux",
    "rsync": "rsync /etc/passwd /tmp/passwd",
    "ruby": "ruby -ropenssl -e 'puts 1'",
    "sox": "sox -n -r 8000 /tmp/a.wav synth 1 sine 440",
    "sqlite3": "sqlite3 /tmp/a.db 'select sqlite_version()'",
    "tesseract-ocr": "tesseract --list-langs | grep -q eng",
    "tmux": "tmux -V",
    "unzip": "unzip -v",
    "vim-tiny": "vi --version",
    "webp": "cwebp -version",
    "wget": "wget --version",
    "xvfb": "mkfifo /tmp/x && { Xvfb -displayfd 3 3>/tmp/x & } && read -r display </tmp/x && kill $!",
    "zsh": "zsh -c 'print -P ok'",
}
LIBRARIES = {
    "libgl1": "libGL.so.1",
    "libheif1": "libheif.so.1",
    "libmagic1": "libmagic.so.1",
    "libopenblas0": "libblas.so.3",
    "libportaudio2": "libportaudio.so.2",
    "libsndfile1": "libsndfile.so.1",
}
OF_A_SUITE = {
    "bookworm": {
        "libglib2.0-0": "$PYTHON -c 'import ctypes; ctypes.CDLL(\"libglib-2.0.so.0\")'",
        "openjdk-17-jre-headless": "java -version && grep -q debian: /etc/ssl/certs/java/cacerts",
    },
    "trixie": {
        "libglib2.0-0t64": "$PYTHON -c 'import ctypes; ctypes.CDLL(\"libglib-2.0.so.0\")'",
        "openjdk-21-jre-headless": "java -version && grep -q debian: /etc/ssl/certs/java/cacerts",
    },
}


def corpus(suite: str) -> dict[str, str]:
    """The sixty packages of a suite, and for each the command that has to succeed."""
    loads = {name: f"$PYTHON -c 'import ctypes; ctypes.CDLL(\"{file}\")'" for name, file in LIBRARIES.items()}
    found = {**PROGRAMS, **loads, **OF_A_SUITE[suite]}
    assert len(found) == 60, len(found)
    return found
