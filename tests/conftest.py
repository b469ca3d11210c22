"""Real servers for the tests, started only for tests that ask for them.

stack          a whole instance (session): web, worker, scheduler, edge, front door
servers        PostgreSQL, Redis and S3 alone (session), for tests that need no web
database_url   a fresh, migrated database on `servers`, one a module
redis_url      an empty numbered database of its Redis, one a module
environment    every variable of our processes, with all S3 roles, for `database_url` and `redis_url`
storage        `Storage` with every role on `servers` (session); keys must be random, as buckets are shared
"""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.core.settings import StorageSettings, load
from app.core.storage import Storage
from app.stack.state import ROLES
from tests.support.running import ROOT, Running

_TEMPLATE = "rushes_template"


class _AllRoles(StorageSettings):
    ROLES = ROLES


def _instance(*arguments: str) -> Iterator[Running]:
    # Not pytest's own folder: its paths are too long for Unix sockets.
    folder = Path(tempfile.mkdtemp(prefix="rushes-test-"))
    running = Running(folder / "instance", *arguments)
    try:
        yield running.start()
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Running]:
    """A whole instance, without the demo."""
    yield from _instance("--no-demo")


@pytest.fixture(scope="session")
def servers() -> Iterator[Running]:
    """PostgreSQL, Redis and S3 of an instance on which nothing of ours runs."""
    yield from _instance("--only-servers")


@pytest.fixture(scope="session")
def _template_database(servers: Running) -> str:
    """A migrated database to copy: migrations run once, a copy takes a tenth of a second."""
    _execute(servers, f"CREATE DATABASE {_TEMPLATE}")
    environment = {
        **os.environ,
        "DATABASE_URL": servers.database_url(_TEMPLATE),
        "REDIS_URL": servers.redis_url(),
    }
    subprocess.run(
        [sys.executable, "-m", "app.cli.main", "migrate"], env=environment, cwd=ROOT, check=True, timeout=120
    )
    return _TEMPLATE


@pytest.fixture(scope="module")
def database_url(servers: Running, _template_database: str) -> Iterator[str]:
    """A fresh, migrated database (postgresql+psycopg://…)."""
    name = f"test_{secrets.token_hex(6)}"
    _execute(servers, f"CREATE DATABASE {name} TEMPLATE {_template_database}")
    yield servers.database_url(name).replace("postgresql://", "postgresql+psycopg://")
    _execute(servers, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _redis_numbers() -> Iterator[int]:
    return itertools.cycle(range(1, 16))


@pytest.fixture(scope="module")
def redis_url(servers: Running, _redis_numbers: Iterator[int]) -> str:
    """An empty database of the Redis."""
    from redis import Redis

    url = servers.redis_url(next(_redis_numbers))
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="module")
def environment(servers: Running, database_url: str, redis_url: str) -> dict[str, str]:
    """What any of our processes would be told to work on this module's databases."""
    return {**servers.environment, "DATABASE_URL": database_url, "REDIS_URL": redis_url}


@pytest.fixture(scope="session")
def storage(servers: Running) -> Storage:
    """Clients of every role, bootstrap too."""
    return Storage(load(_AllRoles, servers.environment))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, silent on the network."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    flags = (
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    )  # fmt: skip
    return {"executable_path": path, "args": list(flags)}


@pytest.fixture
def site(new_context: Any, stack: Running) -> Any:
    """A page on the stack's front door, signed in as nobody."""
    return new_context(base_url=stack.url).new_page()


def _execute(servers: Running, statement: str) -> None:
    with psycopg.connect(servers.database_url("postgres"), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
