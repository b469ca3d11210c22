"""One look at the database for all edges that wait: a thread a process, with a connection of its own.

PostgreSQL wakes it when an event is committed (NOTIFY). Where that does not arrive, as through a pooler of
transactions, it looks anyway a few times a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, cast

import psycopg
import structlog
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.database import ENGINE_OPTIONS
from app.workflows.edge_events import CHANNEL, newest_event

log = structlog.get_logger(__name__)

#: Seconds between two looks when nobody wakes us; a waiter looks as often whether its client is there.
LOOK_EVERY = 0.25
#: Without anybody waiting for so long the thread ends; the next one who waits starts it again.
IDLE_AFTER = 60.0
_AGAIN_AFTER = (0.2, 0.5, 1.0, 2.0)


class Watcher:
    """Knows the newest event's id. `stopping` says whether the process wants to end."""

    def __init__(self, database_url: str) -> None:
        options = cast(dict[str, Any], ENGINE_OPTIONS["connect_args"])
        self._engine = create_engine(
            database_url, poolclass=NullPool, connect_args={**options, "tcp_user_timeout": 5000}
        )
        self.stopping: Callable[[], bool] = lambda: False
        self._moved = threading.Condition()
        self._newest = -1
        self._asked_at = 0.0
        self._running = False
        self._failures = 0

    def wait(self, cursor: int, seconds: float, *, over: Callable[[], bool]) -> bool:
        """Wait until there is an event after `cursor`, at most `seconds` and until `over()`; whether there is."""
        end = time.monotonic() + seconds
        with self._moved:
            while self._newest <= cursor:
                self._asked_at = time.monotonic()
                self._start()
                left = end - self._asked_at
                if left <= 0 or self.stopping() or over():
                    return False
                self._moved.wait(min(left, LOOK_EVERY))
        return True

    def _start(self) -> None:
        if not self._running:
            self._running = True
            threading.Thread(target=self._run, name="control-watcher", daemon=True).start()

    def _run(self) -> None:
        while self._wanted():
            try:
                self._watch()
            except (SQLAlchemyError, psycopg.Error) as error:
                if not self._failures:
                    log.warning("control_watch_broken", error=type(error).__name__)
                time.sleep(_AGAIN_AFTER[min(self._failures, len(_AGAIN_AFTER) - 1)])
                self._failures += 1
            except BaseException:
                self._end()
                raise

    def _wanted(self) -> bool:
        with self._moved:
            if not self.stopping() and time.monotonic() - self._asked_at < IDLE_AFTER:
                return True
            self._end()
            return False

    def _end(self) -> None:
        with self._moved:
            self._running, self._newest = False, -1  # what was newest then says nothing later

    def _watch(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"listen {CHANNEL}"))
            driver = cast(Any, connection.connection.driver_connection)
            with Session(connection) as session:
                while self._wanted():
                    self._tell(newest_event(session))
                    self._failures = 0
                    for _ in driver.notifies(timeout=LOOK_EVERY, stop_after=1):
                        pass

    def _tell(self, newest: int) -> None:
        with self._moved:
            if newest != self._newest:
                self._newest = newest
                self._moved.notify_all()
