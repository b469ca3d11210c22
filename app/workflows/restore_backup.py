"""The database back from a dump, into an empty one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, make_url

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


def _name(database_url: str) -> str:
    return make_url(database_url).database or ""
