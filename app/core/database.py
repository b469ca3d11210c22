"""The database of a process: an engine, and units of work. No Flask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker

from app.core.queue import Sender, send_after_commit

#: A statement that takes longer than this is a fault (milliseconds); long work holds no transaction.
STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000

ENGINE_OPTIONS = {
    "pool_size": 20,
    "max_overflow": 0,
    "pool_timeout": 5,
    "pool_use_lifo": True,
    "pool_pre_ping": True,
    "hide_parameters": True,  # bound values are people's data: not in a traceback
    "connect_args": {
        "connect_timeout": 5,
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC",
        "keepalives_idle": 30,
    },
}


class UnitOfWork(Protocol):
    """Opens a session whose block is one transaction: committed at its end, rolled back on an error."""

    def __call__(self) -> AbstractContextManager[Session]: ...


def make_engine(url: str, *, pool_size: int = 20) -> Engine:
    """An engine for `postgresql+psycopg://…`."""
    return create_engine(url, **{**ENGINE_OPTIONS, "pool_size": pool_size})


def make_unit_of_work(engine: Engine, sender: Sender) -> UnitOfWork:
    """Units of work on `engine`; the jobs that they insert are sent by `sender` after the commit."""
    sessions = sessionmaker(engine, expire_on_commit=False, info={"sender": sender})
    send_after_commit(sessions)

    @contextmanager
    def unit_of_work() -> Iterator[Session]:
        with sessions.begin() as session:
            yield session

    return unit_of_work
