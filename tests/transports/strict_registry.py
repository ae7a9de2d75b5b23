"""A registry in memory that keeps to the distribution specification to the letter, and fails when it is told to.

What it is told is a list of faults: each is for the next request that it fits, and used up by that.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Fault:
    """`kind` happens to the next request of this method: `at` bytes of its body are taken in before that, if it has one.

    - `drop`: the connection ends, with no answer; what came in is kept
    - `forget`: likewise, and the session is lost
    - `mute`: the request is carried out, and the connection ends without the answer
    - `short`: less is kept and acknowledged than was sent (of a PATCH)
    - `stall`: nothing more is taken in before `released` is set
    - `race`: it says that the digest is wrong, as docker-registry does when two put one manifest (of a PUT)
    - `unknown`: it says that it knows no repository of this name (of a POST)
    - `corrupt`: one byte is kept that was not sent
    - a number: this status, with nothing done
    """

    method: str
    kind: str | int
    at: int = 0


@dataclass
class Repo:
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Strict(http.server.ThreadingHTTPServer):
    """The registry: its repositories, sessions, the faults to come and what came in."""

    daemon_threads = True

    def __init__(self, *, referrers: bool, shortest: int, forgetful: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.referrers, self.shortest, self.forgetful = referrers, shortest, forgetful
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.repos: dict[str, Repo] = {}
        self.sessions: dict[str, bytearray] = {}
        self.faults: list[Fault] = []
        self.token: str | None = None
        self.after = "0"
        self.uploads_at = ""  # the address of another one that takes the uploads
        self.authorizations: list[str | None] = []
        self.seen: list[tuple[str, str]] = []
        self.received = 0
        self.wrong: list[str] = []
        self.lock = threading.RLock()
        self.stalled, self.released = threading.Event(), threading.Event()

    def handle_error(self, *_: object) -> None:
        pass

    def repo(self, name: str) -> Repo:
        return self.repos.setdefault(name, Repo())

    def fault(self, method: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.method == method:
                    self.faults.remove(fault)
                    return fault
        return None


class _Ended(Exception):  # noqa: N818 - a signal, not an error
    pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Strict
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        self.parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(self.parts.query).items()}
        self.left = int(self.headers.get("Content-Length", 0))
        with self.server.lock:
            self.server.seen.append((self.command, self.path))
            self.server.authorizations.append(self.headers.get("Authorization"))
        try:
            if self.parts.path == "/token":
                self._answer(200, json.dumps({"token": self.server.token, "expires_in": 300}).encode())
                return
            if self.server.token and self.headers.get("Authorization") != f"Bearer {self.server.token}":
                realm = f'Bearer realm="http://{self.server.host}/token",service="strict"'
                self._answer(401, WWW_Authenticate=realm)
                return
            self.fault = self.server.fault(self.command)
            if self.fault and isinstance(self.fault.kind, int):
                if self.fault.kind == 401:
                    self.server.token = f"token{len(self.server.seen)}"
                    realm = f'Bearer realm="http://{self.server.host}/token",service="strict"'
                    self._answer(401, WWW_Authenticate=realm)
                else:
                    self._answer(self.fault.kind, Retry_After=self.server.after)
                return
            if self.fault and self.fault.kind == "unknown":
                self._refuse(404, "NAME_UNKNOWN")
                return
            if self.fault and self.command not in {"PATCH", "PUT"} and self.fault.kind != "mute":
                raise _Ended  # noqa: TRY301 - the end of a connection is in one place
            self._route()
        except _Ended:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815 - http.server's names

    def _route(self) -> None:
        match = re.fullmatch(r"/v2/(.+?)/(blobs/uploads/|blobs|manifests|referrers|uploads)/?(.*)", self.parts.path)
        if match is None:
            return self._answer(404)
        self.name, kind, rest = match.groups()
        action = getattr(self, f"_{kind.strip('/').replace('/', '_')}_{self.command.lower()}", None)
        return self._answer(405) if action is None else action(self.server.repo(self.name), rest)

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        # Before the answer to a request is there, its body has been read: the next one begins where it ends.
        while self.left:
            data = self.rfile.read(min(self.left, 1 << 16))
            self.left -= len(data)
            if not data:
                raise _Ended
        if getattr(self, "fault", None) and self.fault.kind == "mute":
            raise _Ended
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str, **headers: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": "no"}]}).encode(), **headers)

    def _blobs_head(self, repo: Repo, digest: str) -> None:
        if digest not in repo.blobs:
            return self._answer(404)
        return self._answer(200, Docker_Content_Digest=digest)

    def _blobs_get(self, repo: Repo, digest: str) -> None:
        if digest not in repo.blobs:
            return self._refuse(404, "BLOB_UNKNOWN")
        return self._answer(200, repo.blobs[digest])

    def _blobs_uploads_post(self, repo: Repo, _: str) -> None:
        wanted, source = self.query.get("mount"), self.query.get("from")
        if wanted and source and wanted in self.server.repo(source).blobs:
            repo.blobs[wanted] = self.server.repo(source).blobs[wanted]
            return self._answer(201, Location=f"/v2/{self.name}/blobs/{wanted}", Docker_Content_Digest=wanted)
        with self.server.lock:
            session = f"s{len(self.server.seen)}"
            self.server.sessions[session] = bytearray()
        return self._going_on(202, session)

    def _going_on(self, status: int, session: str) -> None:
        size = len(self.server.sessions[session])
        shortest = {"OCI_Chunk_Min_Length": str(self.server.shortest)} if self.server.shortest else {}
        self._answer(
            status,
            Location=f"{self.server.uploads_at}/v2/{self.name}/uploads/{session}?state=x%2F{size}",
            Range=f"0-{max(size - 1, 0)}",
            **shortest,
        )

    def _uploads_get(self, _: Repo, session: str) -> None:
        if session not in self.server.sessions:
            return self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
        return self._going_on(204, session)

    def _uploads_patch(self, _: Repo, session: str) -> None:
        kept = self.server.sessions.get(session)
        if kept is None:
            return self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
        match = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        if match is None or int(match[2]) - int(match[1]) + 1 != self.left:
            self.server.wrong.append(f"Content-Range {self.headers.get('Content-Range')}")
            return self._refuse(400, "SIZE_INVALID")
        if int(match[1]) != len(kept):
            return self._refuse(416, "RANGE_INVALID", Range=f"0-{max(len(kept) - 1, 0)}")
        self._take(session, kept)
        return self._going_on(202, session)

    def _uploads_put(self, repo: Repo, session: str) -> None:
        kept = self.server.sessions.get(session)
        if kept is None:
            return self._refuse(404, "BLOB_UPLOAD_UNKNOWN")
        if self.query.get("state") is None:
            self.server.wrong.append("the query of Location was lost")
        self._take(session, kept)
        digest = "sha256:" + hashlib.sha256(kept).hexdigest()
        del self.server.sessions[session]
        if digest != self.query.get("digest"):
            return self._refuse(400, "DIGEST_INVALID")
        repo.blobs[digest] = bytes(kept)
        return self._answer(201, Location=f"/v2/{self.name}/blobs/{digest}", Docker_Content_Digest=digest)

    def _take(self, session: str, kept: bytearray) -> None:
        fault = self.fault
        stops = fault is not None and fault.kind in {"drop", "forget"}
        limit = min(fault.at, self.left) if stops else self.left
        if fault is not None and fault.kind == "stall":
            self.server.stalled.set()
            self.server.released.wait()
        data = self.rfile.read(limit)
        self.left -= len(data)
        with self.server.lock:
            self.server.received += len(data)
        if fault and fault.kind == "short" and self.command == "PATCH":
            data = data[: fault.at]
        if fault and fault.kind == "corrupt" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        kept += data
        if stops:
            if fault.kind == "forget" or self.server.forgetful:
                self.server.sessions.pop(session, None)
            raise _Ended

    def _manifests_head(self, repo: Repo, name: str) -> None:
        digest = repo.tags.get(name, name)
        if digest not in repo.manifests:
            return self._answer(404)
        return self._answer(200, Docker_Content_Digest=digest, Content_Type=repo.manifests[digest][0])

    def _manifests_get(self, repo: Repo, name: str) -> None:
        digest = repo.tags.get(name, name)
        if digest not in repo.manifests:
            return self._refuse(404, "MANIFEST_UNKNOWN")
        kind, data = repo.manifests[digest]
        return self._answer(200, data, Content_Type=kind, Docker_Content_Digest=digest, ETag=f'"{digest}"')

    def _manifests_put(self, repo: Repo, name: str) -> None:
        if self.fault and self.fault.kind in {"drop", "forget"}:
            raise _Ended
        if self.fault and self.fault.kind == "race":
            return self._refuse(400, "DIGEST_INVALID")
        data = self.rfile.read(self.left)
        self.left = 0
        digest, document = "sha256:" + hashlib.sha256(data).hexdigest(), json.loads(data)
        if document["mediaType"] != self.headers.get("Content-Type") or (":" in name and name != digest):
            return self._refuse(400, "MANIFEST_INVALID")
        listed = self.headers.get("If-Match")
        with self.server.lock:
            if listed and name in repo.tags and listed != f'"{repo.tags[name]}"':
                return self._refuse(412, "DENIED")
            parts = [document["config"], *document["layers"]] if "config" in document else []
            missing = [part["digest"] for part in parts if part["digest"] not in repo.blobs]
            missing += [one["digest"] for one in document.get("manifests", ()) if one["digest"] not in repo.manifests]
            if missing:
                self.server.wrong.append(f"{name} names what is not there: {missing}")
                return self._refuse(404, "MANIFEST_BLOB_UNKNOWN")
            repo.manifests[digest] = (document["mediaType"], data)
            if ":" not in name:
                repo.tags[name] = digest
        subject = document.get("subject")
        understood = {"OCI_Subject": subject["digest"]} if subject and self.server.referrers else {}
        return self._answer(
            201, Location=f"/v2/{self.name}/manifests/{digest}", Docker_Content_Digest=digest, **understood
        )

    def _referrers_get(self, repo: Repo, digest: str) -> None:
        if not self.server.referrers:
            return self._refuse(404, "UNSUPPORTED")
        found = [
            {"mediaType": kind, "digest": name, "size": len(data), "artifactType": json.loads(data)["artifactType"]}
            for name, (kind, data) in repo.manifests.items()
            if json.loads(data).get("subject", {}).get("digest") == digest
        ]
        index = "application/vnd.oci.image.index.v1+json"
        document = {"schemaVersion": 2, "mediaType": index, "manifests": found}
        return self._answer(200, json.dumps(document).encode(), Content_Type=index)


@contextmanager
def strict(*, referrers: bool = True, shortest: int = 0, forgetful: bool = False):
    """A Strict that answers while the context is open."""
    with Strict(referrers=referrers, shortest=shortest, forgetful=forgetful) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
