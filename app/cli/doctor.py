"""`rushes doctor`: which programs and servers are used here, and why."""

from __future__ import annotations

import os
import platform
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from app.core.errors import RushesError
from app.stack import programs
from app.stack.instance import Instance

_Row = tuple[str, str, str]


def run(args: Namespace) -> int:
    """Print one line a part; 1 when something is missing."""
    rows = list(_rows(Path(args.instance).resolve()))
    width = max(len(row[1]) for row in rows)
    for sign, name, text in rows:
        print(f"{sign:<4} {name:<{width}}  {text}")
    return 1 if any(row[0] == "FAIL" for row in rows) else 0


def _rows(path: Path) -> Iterator[_Row]:
    instance = Instance(path, dict(os.environ))
    yield "ok", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield from _server(
        "PostgreSQL", instance.embeds_postgres, "DATABASE_URL", lambda: programs.postgres(path / "postgres")
    )
    yield from _server("Redis", instance.embeds_redis, "REDIS_URL", programs.redis)
    yield from _server("S3", instance.embeds_storage, "S3_ENDPOINT", programs.weed)
    yield from _guarded("Caddy", _caddy)
    yield from _guarded("ffmpeg", _ffmpeg)
    yield _disk(path)


def _server(name: str, embedded: bool, variable: str, find: Callable[[], programs.Program]) -> Iterator[_Row]:
    if not embedded:
        yield "ok", name, f"yours, as {variable} is set"
        return
    yield from _guarded(name, lambda: _told(find()))


def _told(program: programs.Program) -> str:
    return f"{program.version} at {program.path} ({program.reason})"


def _caddy() -> str:
    from edge.caddy import find_caddy

    return str(find_caddy())


def _ffmpeg() -> str:
    from app.media import tools

    found = tools.locate()
    return f"{found.ffmpeg_version} at {found.ffmpeg} ({found.reason})"


def _guarded(name: str, tell: Callable[[], str]) -> Iterator[_Row]:
    try:
        yield "ok", name, tell()
    except RushesError as error:
        yield "FAIL", name, error.sentence


def _disk(path: Path) -> _Row:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    return ("ok" if free > 5e9 else "low"), "Disk", f"{free / 1e9:.0f} GB free at {existing}"
