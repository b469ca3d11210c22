"""`rushes backup`, `rushes restore`, `rushes rebuild-catalogue`: the database out, back, and made again."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from app.cli import place
from app.core.settings import DatabaseSettings, StorageSettings

if TYPE_CHECKING:
    from app.core.storage import Storage


class _BackupSettings(StorageSettings, DatabaseSettings):
    ROLES = ("backup-writer",)


class _OperatorSettings(StorageSettings, DatabaseSettings):
    """Reading backups and listing docs is the operator's: the bootstrap key, which no process of ours holds."""

    ROLES = ("bootstrap", "promoter")
    secret_key: SecretStr = Field(min_length=32)


def add_arguments(add: Callable[[str, str], argparse.ArgumentParser]) -> list[argparse.ArgumentParser]:
    """backup, restore, rebuild-catalogue."""
    backup = add("backup", "dump the database into the backups bucket now (the scheduler does it each night)")
    restore = add("restore", "fill a new, empty database from a dump: the newest one, a key of the bucket, or a file")
    restore.add_argument("source", nargs="?", metavar="FILE|KEY", help="the newest dump of the bucket when left out")
    rebuild = add("rebuild-catalogue", "make assets and versions again from masters and manifests; needs no dump")
    return [backup, restore, rebuild]


def backup(args: argparse.Namespace) -> int:
    """Dump the database into the backups bucket and print the key. Raises Unavailable."""
    from app.core.storage import Storage
    from app.workflows.back_up import back_up

    settings = place.settings(_BackupSettings, args, os.environ)
    unit_of_work = place.database(args, os.environ)
    print(back_up(unit_of_work, Storage(settings), settings.database_url.get_secret_value()))
    return 0


def restore(args: argparse.Namespace) -> int:
    """Fill an empty database. Raises Conflict when it is not empty, NotFound without a backup, Unavailable."""
    from app.core.storage import Storage
    from app.workflows.restore_backup import restore_backup

    url = place.settings(DatabaseSettings, args, os.environ).database_url.get_secret_value()
    if args.source is not None and Path(args.source).is_file():
        restore_backup(Path(args.source), url)
    else:
        storage = Storage(place.settings(_OperatorSettings, args, os.environ))
        with tempfile.TemporaryDirectory(prefix="rushes-restore-") as folder:
            restore_backup(_download(storage, args.source, Path(folder) / "database.dump"), url)
    print("Restored. Start the processes on it; masters and previews are where they were.")
    return 0


def rebuild_catalogue(args: argparse.Namespace) -> int:
    """Make assets and versions again; 1 when a master is missing. Raises Unavailable."""
    from app.core.storage import Storage
    from app.workflows.rebuild_catalogue import rebuild_catalogue as rebuild

    settings = place.settings(_OperatorSettings, args, os.environ)
    unit_of_work = place.database(args, os.environ)
    done = rebuild(unit_of_work, Storage(settings), settings.secret_key.get_secret_value().encode())
    print(f"{done.versions} versions made again, {done.known} were known.")
    for name in done.missing:
        print(f"Its master is missing, or not as recorded: {name}", file=sys.stderr)
    return 1 if done.missing else 0


def _download(storage: Storage, key: str | None, path: Path) -> Path:
    from app.core import keys
    from app.core.errors import NotFound
    from app.core.storage import translated

    client, bucket = storage["bootstrap"], storage.bucket("backups")
    with translated("reading the backup"):
        if key is None:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=keys.BACKUPS)
            key = max((entry["Key"] for page in pages for entry in page.get("Contents", [])), default=None)
        if key is None:
            raise NotFound("no_backup", "There is no backup in the bucket.")
        print(f"Restoring {key}")
        client.download_file(bucket, key, str(path))
    return path
