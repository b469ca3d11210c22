"""Redis (or Valkey) as our own child: password, loopback alone, kept on disk each second."""

from __future__ import annotations

from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from app.stack import programs
from app.stack.files import private_folder, write_private
from app.stack.service import NotReady, Service


def url(password: str, port: int, database: int = 0) -> str:
    """The address of one numbered database."""
    return f"redis://:{password}@127.0.0.1:{port}/{database}"


def service(folder: Path, port: int, password: str) -> Service:
    """The server as a service. Its settings are a private file: a command line is for all to read.

    `noeviction`, as messages are not a cache; `everysec` loses at most a second of messages at a power
    failure, which the reconciler sends again.
    """
    program = programs.redis()
    settings = private_folder(folder) / "redis.conf"
    write_private(
        settings,
        "\n".join(
            (
                "bind 127.0.0.1", "protected-mode yes", f"port {port}", f"requirepass {password}",
                f"dir {_quoted(folder)}", "daemonize no", 'save ""', "appendonly yes", "appendfsync everysec",
                "maxmemory-policy noeviction", "databases 16", 'logfile ""', "always-show-logo no", "",
            )
        ),
    )  # fmt: skip
    return Service(
        name="redis",
        title=f"{'Valkey' if 'valkey' in program.path.name else 'Redis'} {program.version}",
        command=(str(program.path), str(settings)),
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        folder=folder,
        ready=lambda: ready(url(password, port)),
    )


def ready(address: str) -> None:
    """PING, as a client with the password. Raises NotReady."""
    try:
        with Redis.from_url(address, socket_timeout=2, socket_connect_timeout=2) as client:
            client.ping()
    except RedisError as error:
        raise NotReady(type(error).__name__) from None  # its text may hold the address


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
