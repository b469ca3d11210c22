"""Servers of somebody else's, named by the environment: asked once at the start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from app.core.errors import Unavailable
from app.stack import postgres, redis
from app.stack.instance import Instance
from app.stack.service import NotReady

_PATIENCE = 10.0


def checks(instance: Instance, storage_ready: Callable[[], None]) -> Iterator[tuple[str, Callable[[], None]]]:
    """A title and a check for each server that is not ours; a check raises Unavailable."""
    values = instance.values
    if not instance.embeds_postgres:
        address = "postgresql://" + (values.get("DATABASE_URL") or values["POSTGRES_URL"]).partition("://")[2]
        yield "PostgreSQL of DATABASE_URL", lambda: _soon("DATABASE_URL", lambda: postgres.ready(address))
    if not instance.embeds_redis:
        yield "Redis of REDIS_URL", lambda: _soon("REDIS_URL", lambda: redis.ready(values["REDIS_URL"]))
    if not instance.embeds_storage and instance.holds_bootstrap:
        yield "S3 of S3_ENDPOINT", lambda: _soon("S3_ENDPOINT", storage_ready)


def _soon(variable: str, check: Callable[[], None]) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return check()
        except NotReady as reason:
            if time.monotonic() > end:
                raise Unavailable(
                    "server_not_ready", f"The server of {variable} does not do its work: {reason}"
                ) from None
            time.sleep(0.2)
