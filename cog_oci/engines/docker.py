"""Containers by a Docker daemon, over its HTTP API (Docker Engine API 1.41; every daemon from 20.10 on)."""

from __future__ import annotations

import base64
import json
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cog_oci.engines._api import Api, ApiError, Meanwhile
from cog_oci.engines._engine import Container, EngineError, Launch, Offer, Runnable
from cog_oci.engines._inspected import Inspected
from cog_oci.engines._streams import Streams, raw_terminal
from cog_oci.transports._daemon import Daemon, find_daemon

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

    from cog_oci.progress import Progress
    from cog_oci.store import Store

__all__ = ["DockerEngine"]

_SHARED_MEMORY = 6 << 30  # bytes, as Cog gives
_NOT_FOUND = 404
_LOST = 137  # the status of what was killed: that of a container which is gone


class DockerEngine:
    """The daemon at `address`, or the one that DOCKER_HOST or a context names, or this host's."""

    name = "docker"

    def __init__(self, address: str | None = None) -> None:
        self._daemon = Daemon(address) if address else find_daemon()
        self._api = Api(self._daemon)
        self._architecture: str | None = None

    @property
    def architecture(self) -> str:
        """The daemon's, which may be on another machine."""
        if self._architecture is None and (reason := self.unavailable()):
            raise EngineError(self.name, reason)
        return str(self._architecture)

    def unavailable(self) -> str | None:
        """What the socket or the daemon said instead of an answer."""
        try:
            # Whoever asks for this is going to ask for the architecture.
            self._architecture = str(json.loads(self._api.call("GET", "/version", timeout=10))["Arch"])
        except (ValueError, KeyError, TypeError):
            return f"what answers at {self._daemon.address} is no Docker daemon"
        except ApiError as error:
            return f"the daemon at {self._daemon.address} does not answer ({error.message})"
        return None

    def shares_network(self, network: str | None) -> bool:
        """With the network `host` alone, and where that is this machine's."""
        return network == "host" and self._daemon.is_local

    def is_here(self) -> bool:
        """As far as the daemon's address tells."""
        return self._daemon.is_local

    def having(self, offer: Offer, store: Store) -> Runnable | None:  # noqa: ARG002 - the Protocol's
        """By its configuration's digest, or its manifest's where the daemon keeps images in containerd."""
        try:
            found = self._api.ask("GET", _place(offer.name.familiar))
        except ApiError:
            return None
        known = _Loaded.parse(found, api=self._api)
        return known if f"sha256:{known.identity}" in {offer.image.content_id, offer.image.digest} else None

    def take(self, offer: Offer, store: Store, progress: Progress) -> Runnable:
        """Load the image under its name; only what the daemon does not have is sent."""
        from cog_oci.transports.archive import Archive  # noqa: PLC0415 - only where there is something to load
        from cog_oci.transports.docker import Docker  # noqa: PLC0415 - likewise

        with Docker(self._daemon) as daemon:
            whole = Archive([offer.image.stored()], offer.name)
            sent = daemon.load(whole, store, progress, relatives=[one.familiar for one in offer.relatives])
        progress.say(f"loaded {offer.name.familiar}: {sent / 1e6:.1f} MB of layers were new to docker")
        return self._known(offer.name.familiar)

    def find(self, name: str, store: Store, progress: Progress) -> Runnable:  # noqa: ARG002 - the Protocol's
        """An image that the daemon has, or that it can pull, as whoever Docker's configuration says we are."""
        try:
            return self._known(name)
        except EngineError:
            progress.say(f"pulling {name}")
        path, _, tag = name.partition("@") if "@" in name else _split_tag(name)
        what = f"{name} is not here and cannot be pulled"
        with self._blamed(what):
            said = self._api.call("POST", "/images/create", headers=_login(name), timeout=None, fromImage=path, tag=tag)
        # The daemon answers 200 before it knows: what went wrong is in what it says.
        if reason := _failure(said):
            raise EngineError(self.name, f"{what}: {reason}")
        return self._known(name)

    def _known(self, name: str) -> Runnable:
        return _Loaded.parse(self._ask("GET", _place(name), what=f"image {name}"), api=self._api)

    def _ask(self, method: str, path: str, what: str = "the daemon") -> Any:
        with self._blamed(what):
            return self._api.ask(method, path)

    @contextmanager
    def _blamed(self, what: str) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            raise EngineError(self.name, f"{what}: {error.message}") from None


@dataclass(frozen=True, kw_only=True)
class _Loaded(Inspected):
    """An image that the daemon has."""

    api: Api

    @contextmanager
    def start(self, launch: Launch) -> Iterator[Container]:
        terminal = launch.attached and sys.stdin.isatty() and sys.stdout.isatty()
        with ExitStack() as after:
            gate = Meanwhile(launch.gate)
            place = f"/containers/{self._create(launch, gate, terminal=terminal)}"
            ending = _Ending(self.api, place)
            after.callback(ending.remove)
            gate.check()
            try:
                stdin = int(_reads(launch))
                stream, begun = self.api.upgrade(f"{place}/attach", stream=1, stdin=stdin, stdout=1, stderr=1)
                streams = _streams(stream, begun, launch, terminal=terminal)
                after.callback(streams.finish, 1)
                self.api.call("POST", f"{place}/start")
            except ApiError as error:
                raise EngineError("docker", error.message, hint=_start_hint(error.message)) from None
            streams.start()
            after.callback(ending.stop, streams)  # before the streams are waited for: they end with it
            if terminal:
                after.enter_context(raw_terminal(lambda columns, rows: self._resize(place, columns, rows)))
            yield _Started(self.api, place, streams, ending)
            ending.expected = True

    def _create(self, launch: Launch, gate: Meanwhile, *, terminal: bool) -> str:
        body = {
            "Image": f"sha256:{self.identity}",
            "Cmd": list(launch.command),
            "Env": [f"{name}={value}" for name, value in launch.env.items()],
            "Tty": terminal,
            "OpenStdin": _reads(launch),
            "StdinOnce": _reads(launch),
            "AttachStdin": _reads(launch),
            "AttachStdout": True,
            "AttachStderr": True,
            "ExposedPorts": {f"{port.inside}/tcp": {} for port in launch.ports},
            "HostConfig": self._host(launch),
        }
        try:
            return str(self.api.ask("POST", "/containers/create", body, meanwhile=gate)["Id"])
        except ApiError as error:
            gate.check()
            hint = _start_hint(error.message)
            raise EngineError("docker", f"the container cannot be made: {error.message}", hint=hint) from None

    def _host(self, launch: Launch) -> dict[str, Any]:
        host: dict[str, Any] = {"ShmSize": _SHARED_MEMORY}
        if launch.project is not None:
            source = str(launch.project.absolute())
            host["Mounts"] = [{"Type": "bind", "Source": source, "Target": self.folder}]
            host["SecurityOpt"] = ["label=disable"]  # SELinux keeps a container from folders that are not its own
        if launch.network is not None:
            host["NetworkMode"] = launch.network
        if launch.network != "host":
            host["ExtraHosts"] = ["host.docker.internal:host-gateway"]
            host["PortBindings"] = {
                f"{port.inside}/tcp": [{"HostIp": port.host, "HostPort": str(port.outside)}] for port in launch.ports
            }
        if launch.gpus is not None:
            host["DeviceRequests"] = [_devices(launch.gpus)]
        return host

    def _resize(self, place: str, columns: int, rows: int) -> None:
        with suppress(ApiError):  # a program that has just ended needs no size
            self.api.call("POST", f"{place}/resize", w=columns, h=rows)


class _Ending:
    """A container that is ended and removed, however far it has come."""

    def __init__(self, api: Api, place: str) -> None:
        self._api, self._place = api, place
        self._was_over = False
        self.said = False
        """Whether what ran in it has said that it was done."""
        self.expected = False
        """Whether whoever started it has left it without an error."""

    def stop(self, streams: Streams) -> None:
        """End it, unless it has ended of itself."""
        self._was_over = streams.ended or self.said
        if self.said:
            streams.cut()
        if not self._was_over:
            with suppress(ApiError):  # it ended just now, or the daemon is gone
                self._api.call("POST", f"{self._place}/stop", t=10)

    def remove(self) -> None:
        """Have it removed. For one that has done what it was to do that is not waited for: nothing of it runs."""
        with suppress(ApiError):  # likewise
            if self._was_over and self.expected:
                self._api.tell("DELETE", self._place, force=1, v=1)
            else:
                self._api.call("DELETE", self._place, force=1, v=1)


class _Started:
    """A container under way."""

    def __init__(self, api: Api, place: str, streams: Streams, ending: _Ending) -> None:
        self._api, self._place, self._streams, self._ending = api, place, streams, ending

    def poll(self) -> int | None:
        try:
            state = self._api.ask("GET", f"{self._place}/json")["State"]
        except ApiError as error:
            return self._gone(error)
        return None if state["Running"] else int(state["ExitCode"])

    def wait(self) -> int:
        try:
            # Asked without a limit: what was started may run for days.
            status = int(json.loads(self._api.call("POST", f"{self._place}/wait", timeout=None))["StatusCode"])
        except ApiError as error:
            return self._gone(error)
        self._streams.finish()
        return status

    def over(self) -> None:
        self._ending.said = True  # the daemon removes what has not ended yet

    def _gone(self, error: ApiError) -> int:
        if error.status == _NOT_FOUND:
            return _LOST
        raise EngineError("docker", f"the container is out of reach: {error.message}")


def _reads(launch: Launch) -> bool:
    return launch.attached or launch.pipes is not None


def _streams(stream: socket.socket, begun: bytes, launch: Launch, *, terminal: bool) -> Streams:
    if launch.pipes is not None:
        source, sink = launch.pipes
        return Streams(stream, begun, terminal=False, source=source, sink=sink, closing=True)
    if launch.attached:
        return Streams(stream, begun, terminal=terminal, source=0, sink=1, closing=False)
    return Streams(stream, begun, terminal=False, source=None, sink=2, closing=False)


def _devices(gpus: str) -> dict[str, Any]:
    """`--gpus` as `docker run` takes it: `all`, a number, or `device=0,1`."""
    request: dict[str, Any] = {"Driver": "nvidia", "Capabilities": [["gpu"]]}
    kind, _, devices = gpus.strip('"').partition("=")
    if kind == "device" and devices:
        return {**request, "DeviceIDs": devices.split(",")}
    if gpus != "all" and not gpus.isdecimal():
        raise EngineError("docker", f"--gpus {gpus} is none of all, a number, device=0,1")
    return {**request, "Count": -1 if gpus == "all" else int(gpus)}


def _start_hint(message: str) -> str | None:
    if "already in use" in message or "already allocated" in message:
        return "another program has the port: choose one with -p"
    if "bind source path does not exist" in message or "mounts denied" in message.lower():
        return "the daemon cannot see this folder: --no-mount puts the code into the image"
    if "device driver" in message:
        return "this machine has no driver for its GPUs: leave out --gpus"
    return None


def _place(name: str) -> str:
    return f"/images/{quote(name, safe='/:@')}/json"


def _login(name: str) -> Mapping[str, str]:
    """Who we are to the image's registry, for the daemon (Engine API, "Authentication"); nothing for nobody."""
    from cog_oci.transports._credentials import credentials  # noqa: PLC0415 - only what is pulled needs it
    from cog_oci.transports._place import Place  # noqa: PLC0415 - likewise

    place = Place.parse(name)
    found = credentials(place.reference.host, place.path)
    if found is None:
        return {}
    document = {
        "username": found.username,
        "password": found.password,
        "identitytoken": found.identity_token,
        "registrytoken": found.registry_token,
        "serveraddress": place.reference.host,
    }
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(document).encode()).decode()}


def _failure(said: bytes) -> str | None:
    """What went wrong with a pull: its answer is a line of JSON for each step."""
    for line in reversed(said.splitlines()):
        with suppress(ValueError):
            row = json.loads(line)
            return str(row["error"]) if isinstance(row, dict) and "error" in row else None
    return None


def _split_tag(name: str) -> tuple[str, str, str]:
    path, colon, tag = name.rpartition(":")
    return (path, colon, tag) if colon and "/" not in tag else (name, ":", "latest")
