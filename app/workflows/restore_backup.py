"""The database back from a dump, into an empty one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, make_url, text

from app.core import pg_tools
from app.core.database import make_engine
from app.core.errors import Conflict


def restore_backup(dump: Path, database_url: str) -> None:
    """Fill the database from a file of `back_up`, in one transaction.

    Raises Conflict when the database holds tables already (nothing is ever overwritten), Unavailable when
    pg_restore fails; then nothing has changed.
    """
    engine = make_engine(database_url, pool_size=1)
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables:
        raise Conflict(
            "database_not_empty",
            f"The database holds {len(tables)} tables. Restore into a new, empty one, then point DATABASE_URL at it.",
        )
    pg_tools.run(
        "pg_restore", database_url, "--no-owner", "--single-transaction", "--exit-on-error",
        f"--dbname={_name(database_url)}", str(dump),
    )  # fmt: skip
    _skip_edge_events(database_url)


def _skip_edge_events(database_url: str) -> None:
    """Move the ids of edge events past any that an edge has heard before: its cursor must not hide new ones."""
    engine = make_engine(database_url, pool_size=1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "select setval(pg_get_serial_sequence('edge_events', 'id'), "
                "greatest((select max(id) from edge_events), (extract(epoch from now()) * 1000000)::bigint))"
            )
        )
    engine.dispose()


def _name(database_url: str) -> str:
    return make_url(database_url).database or ""
