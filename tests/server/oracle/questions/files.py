"""Files in and out, and their upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.oracle.asked import Cases, run

if TYPE_CHECKING:
    from tests.server.oracle.talk import Talk

__all__ = ["CASES"]


def _fetch(field: str, *paths: str) -> Any:
    """A prediction on files that the receiver has."""

    def question(talk: Talk) -> Any:
        urls = [talk.receiver.url + path for path in paths]
        return talk.run({field: urls if field == "paths" else urls[0]})

    return question


def _refused(talk: Talk) -> Any:
    answer = talk.run({"path": "http://127.0.0.1:1/x"})
    answer["body"].pop("error", None)  # the words are the HTTP library's
    return answer


def _upload(folder: str, /, **given: Any) -> Any:
    """A prediction, and what was uploaded of it."""

    def question(talk: Talk) -> Any:
        before = len(talk.receiver.calls(f"/up{folder}"))
        answer = talk.ask("POST", "/predictions", {"id": "up", "input": given})
        # Cog uploads in parallel and lists the files in the order in which it was done.
        calls = sorted(talk.receiver.calls(f"/up{folder}")[before:], key=lambda call: call["path"])
        if isinstance(answer["body"].get("output"), list):
            answer["body"]["output"].sort()
        wanted = ("content-type", "x-prediction-id", "content-length", "authorization")
        seen = [
            {
                "method": call["method"],
                "path": call["path"],
                "content": call["content"].decode(),
                "headers": {name: call["headers"].get(name) for name in wanted},
            }
            for call in calls
        ]
        if isinstance(answer["body"].get("output"), dict):
            answer["body"]["output"].pop("where", None)
        return {"answer": answer, "uploads": seen}

    return question


def _files(**given: Any) -> Any:
    def question(talk: Talk) -> Any:
        answer = talk.run(given)
        if isinstance(answer["body"].get("output"), dict):
            answer["body"]["output"].pop("where", None)
        return answer

    return question


CASES: Cases = {
    "reader": {
        "data url": run(path="data:text/plain;base64,aGk="),
        "data url, percent": run(path="data:,a%20b"),
        "data url, empty": run(path="data:,"),
        "data url, other letters": run(path="DATA:text/plain,x"),
        "data url without a comma": run(path="data:text/plain"),
        "data url with lines": run(path="data:;base64,aG\nk="),
        "data url without padding": run(path="data:;base64,aGk"),
        "invalid base64": run(path="data:;base64,###"),
        "data url for a file": run(file="data:,a%20b"),
        "data urls": run(paths=["data:,a", "data:,b"]),
        "no data urls": run(paths=[]),
        "data url as text": run(text="data:,a"),
        "local path": run(path="/etc/hostname"),
        "local path as url": run(path="file:///etc/hostname"),
        "local paths": run(paths=["/etc/hostname"]),
        "local path for a file": run(file="/etc/hostname"),
        "ftp": run(path="ftp://127.0.0.1/x"),
        "empty path": run(path=""),
        "path of another type": run(path=5),
        "null path": run(path=None),
        "item that is no path": run(paths=[5]),
        "download": _fetch("path", "/some/file.txt"),
        "download with an escaped name": _fetch("path", "/some/a%20b%20c.JPG"),
        "download with a query": _fetch("path", "/some/file.txt?x=1"),
        "downloads": _fetch("paths", "/a.txt", "/b.txt"),
        "download for a file": _fetch("file", "/some/file.txt"),
        "download as text": _fetch("text", "/some/file.txt"),
        "download after a redirect": _fetch("path", "/from-file.txt"),
        "download that is not there": _fetch("path", "/status-404/x.txt"),
        "download that fails": _fetch("path", "/status-500/x.txt"),
        "download that is refused": _refused,
        "download that is not there, for a file": _fetch("file", "/status-404/x.txt"),
    },
    "files": {
        "missing field": run(),
        "file output": _files(text="x"),
        "missing file output": _files(text="x", missing=True),
    },
    "pictures": {
        "pictures": run(),
        "no pictures": run(names=[]),
        "one picture": run(shape="one"),
        "tuple of pictures": run(shape="tuple"),
        "pictures in an object": run(shape="object"),
        "missing picture": run(shape="missing"),
        "stream": run(shape="stream"),
        "open file": run(shape="open"),
        "media types": run(
            names=["a.jpg", "b.json", "c.mp4", "d.tar.gz", "e", "f.html", "g.webp", "h.unknown", "I.PNG"]
        ),
    },
    "path iterator": {"iterated paths": run(), "no iterated paths": run(n=0)},
    "uploads": {
        "upload": _upload("", shape="one", names=["one.png"]),
        "uploads": _upload("", names=["two.png", "three.txt"]),
        "upload: nothing": _upload("", names=[]),
        "upload of an odd name": _upload("", shape="one", names=["a b#ü.png"]),
        "upload in an object": _upload("", shape="object"),
        "upload of a missing file": _upload("", shape="missing"),
        "upload of a stream": _upload("", shape="stream"),
        "upload elsewhere": _upload("", shape="one", names=["at-elsewhere"]),
        "upload that is refused": _upload("", shape="one", names=["status-403"]),
        "upload that fails once": _upload("", shape="one", names=["fail-1"]),
        "second upload is refused": _upload("", names=["fine.png", "status-400"]),
    },
    "uploads of an iterator": {"uploads of an iterator": _upload("", n=2, delay=0)},
    "uploads of an object": {"uploads of an object": _upload("", text="x")},
}
