"""The embedded servers: on loopback alone, back after a kill, refused twice, replaced by others."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from app.core.storage import Storage
from tests.support.processes import descendants, listening
from tests.support.running import Running


def test_everything_listens_on_loopback_only(servers: Running) -> None:
    addresses = listening([servers.pid, *descendants(servers.pid)])
    assert len(addresses) >= 10  # postgres, redis, eight of the storage
    assert {host for host, _ in addresses} == {"127.0.0.1"}


def test_secrets_are_private_and_on_no_command_line(servers: Running) -> None:
    private = [
        "state.json",
        "up.json",
        "lock",
        "storage/s3.json",
        "storage/tls/node.key",
        "redis/redis.conf",
        "logs",
    ]
    for path in (servers.folder, *(servers.folder / name for name in private)):
        assert not stat.S_IMODE(path.lstat().st_mode) & 0o077, path
    state = servers.state
    secrets = [
        state["postgres_password"],
        state["redis_password"],
        state["secret_key"],
        *state["storage_jwt"].values(),
    ]
    secrets += [pair[1] for pair in state["roles"].values()]
    for pid in descendants(servers.pid):
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        assert not [secret for secret in secrets if secret in line]
    logs = "".join(path.read_text(errors="replace") for path in (servers.folder / "logs").iterdir())
    assert not [secret for secret in secrets if secret in logs]


def test_passwords_are_asked_for(servers: Running) -> None:
    ports = servers.state["ports"]
    for user in ("rushes", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{user}@127.0.0.1:{ports['postgres']}/rushes", connect_timeout=2)
    with Redis(port=ports["redis"]) as client, pytest.raises(Exception, match=r"[Aa]uthenticat"):
        client.ping()


def _postgres_works(running: Running) -> None:
    with psycopg.connect(running.database_url(), connect_timeout=2) as connection:
        connection.execute("SELECT 1")


def _redis_works(running: Running) -> None:
    with Redis.from_url(running.redis_url()) as client:
        client.ping()


@pytest.mark.parametrize("name", ["postgres", "redis", "storage"])
def test_a_killed_server_comes_back_with_what_it_had(servers: Running, storage: Storage, name: str) -> None:
    key = f"kept/{os.urandom(8).hex()}"
    storage["bootstrap"].put_object(Bucket="masters", Key=key, Body=b"kept")
    with psycopg.connect(servers.database_url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (key text)")
        connection.execute("INSERT INTO kept VALUES (%s)", (key,))
    with Redis.from_url(servers.redis_url()) as client:
        client.set(key, "kept")
        client.execute_command("WAITAOF", 1, 0, 2000) if name == "redis" and _has_waitaof(client) else time.sleep(1.2)

    os.kill(_recorded(servers, name), signal.SIGKILL)

    def all_is_there() -> None:
        _postgres_works(servers)
        with psycopg.connect(servers.database_url()) as connection:
            assert connection.execute("SELECT count(*) FROM kept WHERE key = %s", (key,)).fetchone() == (1,)
        with Redis.from_url(servers.redis_url()) as client:
            assert client.get(key) == b"kept"
        assert storage["bootstrap"].get_object(Bucket="masters", Key=key)["Body"].read() == b"kept"

    _eventually(all_is_there, within=25)


def _has_waitaof(client: Redis) -> bool:
    return int(str(client.info("server")["redis_version"]).split(".")[0]) >= 8


def test_masters_are_locked_by_default_and_synced(servers: Running, storage: Storage) -> None:
    key = f"locked/{os.urandom(8).hex()}"
    version = storage["bootstrap"].put_object(Bucket="masters", Key=key, Body=b"locked")["VersionId"]
    head = storage["bootstrap"].head_object(Bucket="masters", Key=key)
    assert head["ObjectLockMode"] == "GOVERNANCE"
    with pytest.raises(Exception, match="AccessDenied"):
        storage["bootstrap"].delete_object(Bucket="masters", Key=key, VersionId=version)
    assert servers.state["storage_prepared"] is True


def test_a_second_one_is_refused_with_where_the_first_is(servers: Running) -> None:
    second = Running(servers.folder, "--only-servers")
    second.output = servers.folder.with_name("second.out")
    with pytest.raises(AssertionError, match=f"already running.*process {servers.pid}"):
        _refused(second)


def _refused(second: Running) -> None:
    # up.json of the first one is there, so ask the program itself
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "up", "--instance", str(second.folder)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    raise AssertionError(done.stderr)


def _recorded(running: Running, name: str) -> int:
    marks = json.loads((running.folder / "processes.json").read_text())
    return int(next(mark["pid"] for mark in marks if mark["name"] == name))


def _eventually(check: object, *, within: float) -> None:
    end = time.monotonic() + within
    while True:
        try:
            return check()  # type: ignore[operator]
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
