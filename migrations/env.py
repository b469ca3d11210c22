"""Alembic's environment: the metadata of the models, the database of the process."""

from __future__ import annotations

import os

from alembic import context

from app.core.database import make_engine
from app.core.settings import ReleaseSettings, load
from app.models import Base


def run() -> None:
    """Migrate in one transaction, one release at a time."""
    url = context.config.attributes.get("url") or load(ReleaseSettings, os.environ).database_url.get_secret_value()
    engine = make_engine(url, pool_size=1)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
        with context.begin_transaction():
            # Two releases at once take turns; the lock ends with the transaction.
            connection.exec_driver_sql("set local lock_timeout = '60s'")
            connection.exec_driver_sql("set local statement_timeout = 0")
            connection.exec_driver_sql("select pg_advisory_xact_lock(724269001)")
            context.run_migrations()
    engine.dispose()


run()
