"""`rushes backup`, `rushes restore`, `rushes rebuild-catalogue`: the database out, back, and made again."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from app.core.queue import RedisSender
from app.core.settings import DatabaseSettings, StorageSettings, load


class _BackupSettings(StorageSettings, DatabaseSettings):
    ROLES = ("backup-writer",)


class _OperatorSettings(StorageSettings, DatabaseSettings):
    """Reading backups and listing docs is the operator's: the bootstrap key, which no process of ours holds."""

    ROLES = ("bootstrap", "promoter")
    secret_key: str


def backup(environ: Mapping[str, str]) -> None:
    """Dump the database into the backups bucket and print the key."""
    from app.core.database import make_engine, make_unit_of_work
    from app.core.storage import Storage
    from app.workflows.back_up import back_up

    settings = load(_BackupSettings, environ)
    url = settings.database_url.get_secret_value()
    unit_of_work = make_unit_of_work(make_engine(url, pool_size=1), _sender(settings))
    print(back_up(unit_of_work, Storage(settings), url))


def restore(args: argparse.Namespace, environ: Mapping[str, str]) -> None:
    """Fill an empty database from a file, a key, or the newest backup."""
    import tempfile

    from app.workflows.restore_backup import restore_backup

    settings = load(_OperatorSettings if args.source is None or not Path(args.source).is_file() else DatabaseSettings, environ)
    target = args.database or settings.database_url.get_secret_value()
    if isinstance(settings, _OperatorSettings):
        with tempfile.TemporaryDirectory(prefix="rushes-restore-") as folder:
            dump = _download(settings, args.source, Path(folder) / "database.dump")
            restore_backup(dump, target)
    else:
        restore_backup(Path(args.source), target)
    print("Restored. Start the processes on it; previews and masters are where they were.")


def rebuild(environ: Mapping[str, str]) -> int:
    """Make assets and versions again from masters and manifests; 1 when a master is missing."""
    from app.core.database import make_engine, make_unit_of_work
    from app.core.storage import Storage
    from app.workflows.rebuild_catalogue import rebuild_catalogue

    settings = load(_OperatorSettings, environ)
    engine = make_engine(settings.database_url.get_secret_value(), pool_size=2)
    done = rebuild_catalogue(
        make_unit_of_work(engine, _sender(settings)), Storage(settings), settings.secret_key.encode()
    )
    print(f"{done.versions} versions made again, {done.known} were known.")
    for name in done.missing:
        print(f"Master missing or not as recorded: {name}", file=sys.stderr)
    return 1 if done.missing else 0


def _download(settings: _OperatorSettings, key: str | None, path: Path) -> Path:
    from app.core import keys
    from app.core.errors import NotFound
    from app.core.storage import Storage, translated

    storage = Storage(settings)
    client, bucket = storage["bootstrap"], storage.bucket("backups")
    with translated("reading the backup"):
        if key is None:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=keys.BACKUPS)
            found = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
            if not found:
                raise NotFound("no_backup", "There is no backup in the bucket.")
            key = found[-1]
        print(f"Restoring {key}")
        client.download_file(bucket, key, str(path))
    return path


def _sender(settings: DatabaseSettings) -> RedisSender:
    return RedisSender(settings.redis_url.get_secret_value())


def environment_of(args: argparse.Namespace) -> dict[str, str]:
    """The instance's variables when it is one of `rushes up`, else the environment."""
    from app.cli.place import environment

    return environment(args, dict(os.environ))
