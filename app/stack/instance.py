"""One instance: its folder, what it remembers, its addresses, and the services that make it up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from app.core.errors import ConfigurationError
from app.core.settings import role_variables
from app.stack import environment, ports, postgres, redis, seaweed
from app.stack.files import private_folder
from app.stack.readiness import FrontDoor
from app.stack.state import State, load

_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes (unix(7)), some programs add a suffix
_CACHE_SHARE = 4  # the edge's cache takes a quarter of what is free, at most
_CACHE_MIN, _CACHE_MAX = 64 * 1024**2, 20 * 1024**3


@dataclass
class Instance:
    """`path` is its folder, `given` the environment that `rushes up` was started with.

    `open()` must come first, with the lock held: it settles ports, and says all faults at once.
    `moved_from` is the front door's old port, when somebody else has taken it.
    """

    path: Path
    given: Mapping[str, str]
    port: int | None = None
    state: State = field(init=False)
    moved_from: int | None = field(init=False, default=None)

    def open(self) -> None:
        """Read or make the state, settle the ports, check what every process will be told.

        Raises ConfigurationError with all faults of all processes.
        """
        self.state = load(self.state_path)
        kept = self.state.ports
        front = ports.front_door(kept.get("edge"), self.port)
        if self.port is None and kept.get("edge", front) != front:
            self.moved_from = kept["edge"]
        names = ("postgres", "redis", "web", *seaweed.PORTS)
        self.state.ports = {"edge": front, **ports.settle(names, {**kept, "edge": front})}
        self.state.run_path = str(self._run_path())
        self.save()
        faults = environment.faults(self.values)
        known = {fault.partition(" ")[0] for fault in faults}
        faults += [fault for fault in self._faults() if fault.partition(" ")[0] not in known]
        if faults:
            raise ConfigurationError(faults)

    def save(self) -> None:
        """Keep what `state` holds now."""
        self.state.save(self.state_path)

    @property
    def state_path(self) -> Path:
        return self.path / "state.json"

    @property
    def log_folder(self) -> Path:
        return private_folder(self.path / "logs")

    @property
    def run_path(self) -> Path:
        """Where sockets are."""
        return Path(self.state.run_path or self.path / "run")

    @property
    def embeds_postgres(self) -> bool:
        return not (self.given.get("DATABASE_URL") or self.given.get("POSTGRES_URL"))

    @property
    def embeds_redis(self) -> bool:
        return not self.given.get("REDIS_URL")

    @property
    def embeds_storage(self) -> bool:
        return not (self.given.get("S3_ENDPOINT") or self.given.get("WASABI_ENDPOINT"))

    @property
    def holds_bootstrap(self) -> bool:
        """Whether we may make buckets."""
        return self.embeds_storage or all(self.given.get(name) for name in role_variables("bootstrap"))

    @property
    def public_url(self) -> str | None:
        return (self.given.get("PUBLIC_URL") or "").rstrip("/") or None

    @property
    def local_url(self) -> str:
        """The address on this machine; passkeys and WebCrypto want the name `localhost`."""
        return f"http://localhost:{self.state.ports['edge']}"

    @property
    def url(self) -> str:
        return self.public_url or self.local_url

    @property
    def front_door(self) -> FrontDoor:
        """What readiness asks: always the loopback site."""
        return FrontDoor(self.state.ports["edge"])

    @cached_property
    def values(self) -> dict[str, str]:
        """Every variable of every process; what was given wins, but for addresses between our processes."""
        port = self.state.ports
        values = {
            "SECRET_KEY": self.state.secret_key,
            "EDGE_SIGNING_KEY": self.state.edge_signing_key,
            "CONTROL_KEY": self.state.control_key,
            "OBJECT_LOCK_DEFAULT_DAYS": "1",
            "CACHE_PATH": str(self.path / "edge"),
            "CACHE_MAX_BYTES": str(self._cache_bytes()),
            "TRUSTED_PROXIES": "1",
        }
        if self.embeds_postgres:
            values["DATABASE_URL"] = postgres.url(self.state.postgres_password, port["postgres"])
        if self.embeds_redis:
            values["REDIS_URL"] = redis.url(self.state.redis_password, port["redis"])
        if self.embeds_storage:
            values["S3_ENDPOINT"] = f"http://127.0.0.1:{port['s3']}"
            for role, pair in self.state.roles.items():
                values |= dict(zip(role_variables(role), pair, strict=True))  # type: ignore[arg-type]
        else:  # browsers send their parts there; behind the front door is only our own storage
            values["S3_PUBLIC_ENDPOINT"] = self.given.get("S3_ENDPOINT") or self.given["WASABI_ENDPOINT"]
        values |= {name: value for name, value in self.given.items() if value}
        return {**values, **self._addresses()}

    def _addresses(self) -> dict[str, str]:
        port = self.state.ports
        addresses = {
            "WEB_BIND": f"127.0.0.1:{port['web']}",
            "WEB_UPSTREAM": f"127.0.0.1:{port['web']}",
            "CONTROL_URL": f"http://127.0.0.1:{port['web']}",
            "RUN_PATH": str(self.run_path),
            "EDGE_LISTEN": self.local_url,
            "EDGE_BIND": "127.0.0.1",
            "S3_UPSTREAM": f"127.0.0.1:{port['s3']}" if self.embeds_storage else "",
        }
        if self.public_url:
            addresses |= {
                "EDGE_LISTEN": self.public_url,
                "EDGE_BIND": self.given.get("EDGE_BIND") or "0.0.0.0",  # noqa: S104 - asked for by PUBLIC_URL
                "EDGE_LOCAL_LISTEN": self.local_url,
                "EDGE_TLS": self.given.get("EDGE_TLS") or "acme",
            }
        return addresses

    def _faults(self) -> list[str]:
        faults = []
        public = urlsplit(self.public_url or "")
        if self.public_url and (public.scheme not in ("http", "https") or not public.hostname or public.path):
            faults.append("PUBLIC_URL is not usable: must look like https://host")
        if self.public_url and public.scheme == "http" and public.hostname not in ("localhost", "127.0.0.1"):
            faults.append("PUBLIC_URL is not usable: people elsewhere need https:// (sign-in and uploads are secret)")
        return faults

    def _run_path(self) -> Path:
        """`instance/run`, or a private temporary folder when that path is too long for a socket."""
        inside = self.path / "run"
        if len(str(inside / "guard.sock.tmp")) <= _SOCKET_PATH_MAX:
            return private_folder(inside)
        kept = Path(self.state.run_path) if self.state.run_path else None
        if kept and kept.is_dir() and not kept.is_symlink() and kept.stat().st_uid == os.getuid():
            return private_folder(kept)
        return Path(tempfile.mkdtemp(prefix="rushes-"))

    def _cache_bytes(self) -> int:
        free = shutil.disk_usage(self.path).free
        return max(_CACHE_MIN, min(_CACHE_MAX, free // _CACHE_SHARE))
