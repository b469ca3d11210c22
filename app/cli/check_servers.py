"""Settings of each process, the database, Redis, the edge: asked to do what they are there for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.cli.findings import Finding, tried
from app.core.errors import ConfigurationError, Unavailable
from app.core.settings import DatabaseSettings, load
from app.stack.environment import PROCESSES

if TYPE_CHECKING:
    from sqlalchemy import Engine

OLDEST_POSTGRES = 15
#: Work that is due for so long, with nobody at it, means that no worker runs.
PATIENCE = timedelta(minutes=5)
#: The rest of a media address in the right form (design 5) that nobody has signed.
_FORGED = f"h{'0' * 13}.k1.{'A' * 43}/hls/{'0' * 64}/doctor/none.m4s"


def check_settings(values: Mapping[str, str]) -> Iterator[Finding]:
    """What each process would say at its start."""
    for name, (cls, _more) in PROCESSES.items():
        try:
            load(cls, values)
            yield Finding("ok", f"Settings of {name}", "complete")
        except ConfigurationError as error:
            for fault in error.faults:
                yield Finding("FAIL", f"Settings of {name}", fault, "docs/operating.md lists every variable.")


class Database:
    """The checks of the database; `master` is then the key of some locked master."""

    def __init__(self, values: Mapping[str, str]) -> None:
        from app.core.database import make_engine

        self._url = load(DatabaseSettings, values).database_url.get_secret_value()
        self._engine: Engine = make_engine(self._url, pool_size=1)
        self.master: str | None = None

    def check(self) -> Iterator[Finding]:
        """Version, migrations, work that nobody does, activities that nobody seals."""
        where = urlsplit(self._url)
        mend = f"Start the server at {where.hostname}:{where.port or 5432} (bin/up), or correct DATABASE_URL."
        first = tried("PostgreSQL", self._version, mend)
        yield first
        if first.sign != "ok":
            return
        second = tried("Migrations", self._migrations, "Run: rushes migrate")
        yield second
        if second.sign == "ok":
            yield from self._work()

    def _one(self, statement: str, **values: object) -> object:
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        try:
            with self._engine.connect() as connection:
                return connection.execute(text(statement), values).scalar()
        except DBAPIError as error:  # its text may hold the address
            raise Unavailable("database", f"it does not answer ({type(error.orig).__name__})") from None

    def _version(self) -> str:
        number = int(str(self._one("select current_setting('server_version_num')")))
        if number // 10_000 < OLDEST_POSTGRES:
            raise Unavailable("old", f"it is release {number // 10_000}; {OLDEST_POSTGRES} is the oldest that works")
        return f"{self._one('show server_version')} answers"

    def _migrations(self) -> str:
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        from app.cli.migrate import MIGRATIONS

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        wanted = ScriptDirectory.from_config(config).get_current_head()
        have = self._one("select version_num from alembic_version")
        if have != wanted:
            raise Unavailable("behind", f"the database is at {have or 'nothing'}, this release needs {wanted}")
        return f"at {have}, the newest"

    def _work(self) -> Iterator[Finding]:
        self.master = str(found) if (found := self._one("select key from masters order by id desc limit 1")) else None
        late = self._one(
            "select count(*) from jobs where finished_at is null and due_at < now() - :patience "
            "and (lease_until is null or lease_until < now())",
            patience=PATIENCE,
        )
        if late:
            text = f"{late} jobs are due for {PATIENCE.seconds // 60} minutes and nobody has them in hand"
            mend = "Look whether a worker and the scheduler run, and what their logs say."
            yield Finding("FAIL", "Workers", text, mend)
        else:
            yield Finding("ok", "Workers", "no work is left lying")
        unsealed = self._one(
            "select count(*) from activities where sequence is null and created_at < now() - :patience",
            patience=PATIENCE,
        )
        if unsealed:
            yield Finding(
                "FAIL", "Activity log", f"{unsealed} activities wait for the seal", "Workers seal: see above."
            )
        else:
            yield Finding("ok", "Activity log", "sealed; `rushes audit verify` proves it")


def check_redis(values: Mapping[str, str]) -> Finding:
    """PING, and that it throws no message away when it is full."""
    from redis import Redis
    from redis.exceptions import RedisError

    url = load(DatabaseSettings, values).redis_url.get_secret_value()
    where = urlsplit(url)

    def ask() -> str:
        try:
            with Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
                facts = client.info()
        except RedisError as error:  # its text may hold the address
            raise Unavailable("redis", f"it does not answer ({type(error).__name__})") from None
        policy = facts.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise Unavailable("redis", f"its maxmemory-policy is {policy}: it would throw messages away")
        return f"{facts.get('redis_version')} answers"

    return tried(
        "Redis", ask, f"Start {where.hostname}:{where.port or 6379} with maxmemory-policy noeviction (bin/up)."
    )


def check_edge(values: Mapping[str, str]) -> Iterator[Finding]:
    """That media addresses reach Caddy and the guard behind it: a wrongly signed one is refused by the guard."""
    addresses = [values.get(name) for name in ("EDGE_LISTEN", "PUBLIC_URL", "EDGE_BASE_URL")]
    found = list(dict.fromkeys(address.rstrip("/") for address in addresses if address))
    if not found:
        yield Finding("skip", "Edge", "its address is not known here", "Set PUBLIC_URL or EDGE_BASE_URL.")
    for address in found:
        yield tried(
            f"Edge at {address}", lambda address=address: _edge(address),  # type: ignore[misc]
            "Look whether the edge runs (bin/up, or the process edge) and what its log says.",
        )  # fmt: skip


def _edge(address: str) -> str:
    import urllib3

    timeout = urllib3.Timeout(connect=3, read=5)
    kept = {"ca_certs": os.environ["SSL_CERT_FILE"]} if os.environ.get("SSL_CERT_FILE") else {}
    with urllib3.PoolManager(timeout=timeout, retries=False, **kept) as http:  # type: ignore[arg-type]
        try:
            answer = http.request("GET", f"{address}/v/{int(time.time()) + 300}.{_FORGED}")
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable("edge", f"it does not answer ({type(error).__name__})") from None
    if answer.status != 403:
        raise Unavailable("edge", f"a forged address is answered by {answer.status}, not refused by the guard")
    return "Caddy and the guard answer"
