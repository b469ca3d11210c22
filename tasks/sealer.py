"""Every few seconds, in each worker process: give new activities their place in the chain.

A thread rather than a message: it costs one query when nothing waits, and holds no worker thread. Of all
processes one seals an organisation at a time (an advisory lock); when it is killed the next one goes on.
"""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
import structlog

from app.core.database import UnitOfWork
from app.workflows.seal_activities import seal_activities
from tasks.middleware import context

log = structlog.get_logger(__name__)

EVERY_SECONDS = 3.0


class Sealer(dramatiq.Middleware):
    """Seals as long as the worker lives."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Begin."""
        threading.Thread(target=_run, args=(context().unit_of_work, self._stop), name="sealer", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: Any) -> None:
        """Begin no other round."""
        self._stop.set()


def _run(unit_of_work: UnitOfWork, stop: threading.Event) -> None:
    while not stop.wait(EVERY_SECONDS):
        try:
            seal_activities(unit_of_work)
        except Exception as error:  # the database is away; what waits is still there when it is back
            log.warning("not_sealed", error=type(error).__name__)
