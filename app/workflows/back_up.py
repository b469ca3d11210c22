"""The database into the backups bucket, every night and on demand; masters need no backup of their own."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import text

from app.core import keys, pg_tools
from app.core.database import UnitOfWork
from app.core.storage import Storage, translated
from app.models import utc_now

log = structlog.get_logger(__name__)


def back_up(unit_of_work: UnitOfWork, storage: Storage, database_url: str, *, now: datetime | None = None) -> str:
    """Dump the database (pg_dump's custom format) and put it under its own key; returns the key.

    The snapshot is consistent; nobody waits for it. Raises Unavailable.
    """
    with unit_of_work() as session:
        revision = session.scalar(text("select version_num from alembic_version")) or "none"
    key = keys.backup(now or utc_now(), revision)
    with tempfile.TemporaryDirectory(prefix="rushes-backup-") as folder:
        dump = Path(folder) / "database.dump"
        pg_tools.run("pg_dump", database_url, "--format=custom", "--no-owner", f"--file={dump}")
        with translated("storing the backup"):
            storage["backup-writer"].upload_file(str(dump), storage.bucket("backups"), key)
        log.info("backed_up", key=key, bytes=dump.stat().st_size)
    return key
