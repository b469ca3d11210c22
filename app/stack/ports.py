"""Ports on loopback: chosen once, kept, and moved when somebody else took them."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

from app.core.errors import ConfigurationError

#: Below the range from which Linux takes ports for outgoing connections (32768 to 60999).
_FROM, _TO = 18000, 32000
FRONT_DOOR = 8080


def is_free(port: int, *, also_ipv6: bool = False) -> bool:
    """Whether nothing listens on `port` of 127.0.0.1 (and of ::1, which browsers try for `localhost`)."""
    if not _can_bind(socket.AF_INET, "127.0.0.1", port):
        return False
    return not also_ipv6 or not socket.has_ipv6 or _can_bind(socket.AF_INET6, "::1", port)


def _can_bind(family: socket.AddressFamily, host: str, port: int) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to listen on
        try:
            probe.bind((host, port))
        except OSError as error:
            # No IPv6 loopback on this machine: then no browser will try it either.
            return family == socket.AF_INET6 and error.errno in _NO_IPV6
    return True


_NO_IPV6 = {99, 97}  # EADDRNOTAVAIL, EAFNOSUPPORT


def unused(taken: Collection[int]) -> int:
    """A free port outside `taken`. Raises ConfigurationError when a thousand tries find none."""
    for _ in range(1000):
        port = random.randrange(_FROM, _TO)  # noqa: S311 - no secret
        if port not in taken and is_free(port):
            return port
    raise ConfigurationError([f"no free port between {_FROM} and {_TO} on 127.0.0.1"])


def front_door(kept: int | None, asked: int | None) -> int:
    """The port that people open: the one asked for, else the last one, else the first free from 8080 on.

    Raises ConfigurationError when the one asked for is taken.
    """
    if asked is not None:
        if not is_free(asked, also_ipv6=True):
            raise ConfigurationError([f"--port {asked}: another program listens there; choose another port"])
        return asked
    for port in ([kept] if kept else []) + list(range(FRONT_DOOR, FRONT_DOOR + 100)):
        if is_free(port, also_ipv6=True):
            return port
    return unused(())


def settle(names: Collection[str], kept: dict[str, int]) -> dict[str, int]:
    """A port for each name: the kept one if it is still free, else a new one."""
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name)
        if port is None or port in ports.values() or not is_free(port):
            port = unused({*kept.values(), *ports.values()})
        ports[name] = port
    return ports
