"""The guard's process, `python -m edge.guard`: one worker, on RUN_PATH/guard.sock, for its owner alone."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import structlog
import uvicorn

from app.core.errors import ConfigurationError
from app.core.settings import EdgeSettings, load
from app.core.telemetry import configure_logging
from edge.app import Guard
from edge.disk import close_cache, open_cache

#: Longer than Caddy keeps an idle connection (2 min), so that it never writes to one that was just closed.
_KEEP_ALIVE = 150


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    try:
        settings = load(EdgeSettings, os.environ)
        configure_logging("guard", level=settings.log_level, form=settings.log_format)
        lock, doubtful = open_cache(settings.cache_path)
    except ConfigurationError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - there is no log yet
        return 78
    if doubtful:
        structlog.get_logger("edge.guard").warning("cache_emptied", reason="the machine went down uncleanly")
    config = uvicorn.Config(
        Guard(settings),
        loop="uvloop", http="httptools", lifespan="on", interface="asgi3", log_config=None, access_log=False,
        server_header=False, date_header=False, proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE, timeout_graceful_shutdown=3,
    )  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises them again when it has stopped in order
        signal.signal(number, lambda *_: None)
    with listen(settings.run_path / "guard.sock") as server:
        uvicorn.Server(config).run(sockets=[server])
    close_cache(settings.cache_path)
    os.close(lock)
    return 0


def listen(path: Path) -> socket.socket:
    """A listening Unix socket for its owner alone; one left behind is replaced (the cache's lock is held)."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        server.bind(str(path))
    finally:
        os.umask(before)
    server.listen(2048)
    return server


if __name__ == "__main__":
    sys.exit(main())
