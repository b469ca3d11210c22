"""What a worker process has at hand, made once at its start."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.core.database import UnitOfWork, make_engine, make_unit_of_work
from app.core.queue import RedisSender
from app.core.settings import WorkerSettings, load
from app.core.storage import Storage


def worker_name() -> str:
    """Names this process for leases: host, process namespace and process id.

    Containers may share a host name, not a process namespace, so a process id is only judged where it counts.
    """
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = 0
    return f"{socket.gethostname()}:{namespace}:{os.getpid()}"


@dataclass(frozen=True)
class Context:
    """The settings and servers of a worker."""

    settings: WorkerSettings
    unit_of_work: UnitOfWork
    storage: Storage
    sender: RedisSender
    worker: str = field(default_factory=worker_name)

    @property
    def shown_worker(self) -> str:
        """The worker as people are shown it: host and process id."""
        host, _, rest = self.worker.partition(":")
        return f"{host}:{rest.rpartition(':')[2]}"


def make_context(environ: Mapping[str, str]) -> Context:
    """Connect a worker as its environment says. Raises ConfigurationError."""
    settings = load(WorkerSettings, environ)
    sender = RedisSender(settings.redis_url.get_secret_value())
    engine = make_engine(settings.database_url.get_secret_value())
    return Context(settings, make_unit_of_work(engine, sender), Storage(settings), sender)
