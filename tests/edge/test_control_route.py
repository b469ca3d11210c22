"""GET /control/events on the real web: who may ask, what waits, what that costs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.edge.control_web import Web


def ask(told: Web, query: str = "", authorization: str | None = None) -> tuple[int, dict[str, str], bytes]:
    headers = {} if authorization is None else {"Authorization": authorization}
    return told.get(f"/control/events{query}", headers)


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def newest(told: Web) -> int:
    return int(told.events(0)["cursor"])


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic {key}", "Bearer {key}x", "{key}"])
def test_only_the_key_opens_it(told: Web, authorization: str | None) -> None:
    given = None if authorization is None else authorization.replace("{key}", told.key)
    status, headers, body = ask(told, "?cursor=0", given)
    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert b"vbegin" not in body


def test_a_token_of_the_api_does_not_open_it(told: Web) -> None:
    status, _, _ = ask(told, "?cursor=0", "Bearer rushes_" + "x" * 40)
    assert status == 401


@pytest.mark.parametrize("query", ["?cursor=-1", "?cursor=x", "?cursor=1e3", "?cursor=" + "9" * 30, "?wait=%C2%B2"])
def test_numbers_only(told: Web, query: str) -> None:
    assert ask(told, query, f"Bearer {told.key}")[0] == 422


def test_it_is_never_kept_by_a_cache_and_sets_no_cookie(told: Web) -> None:
    status, headers, _ = ask(told, "?cursor=0", f"Bearer {told.key}")
    assert status == 200
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


def test_another_host_name_is_refused_like_everywhere(told: Web) -> None:
    status, _, _ = told.get("/control/events", {"Authorization": f"Bearer {told.key}", "Host": "evil.example"})
    assert status == 421


def test_an_answer_comes_at_once_or_when_there_is_something_or_after_the_wait(told: Web) -> None:
    told.deny("vfirst00000000")
    answer = told.events(newest(told) - 1, wait=20)
    assert [event["subject"] for event in answer["events"]] == ["vfirst00000000"]
    assert set(answer["events"][0]) == {"id", "kind", "subject", "until"}
    cursor = answer["cursor"]

    begun = time.monotonic()
    assert told.events(cursor, wait=1) == {"events": [], "cursor": cursor}
    assert 0.9 < time.monotonic() - begun < 2.5

    for name in ("vsecond0000000", "vthird00000000"):
        thread, results = in_background(lambda cursor=cursor: (told.events(cursor, wait=20), time.monotonic()))
        time.sleep(0.7)
        moment = told.deny(name)
        thread.join(10)
        [(answer, at)] = results
        assert [event["subject"] for event in answer["events"]] == [name]
        assert at - moment < 1.0
        cursor = answer["cursor"]


def test_those_who_wait_hold_no_connection_of_the_database(told: Web) -> None:
    """Sixty edges, more than two pools hold; pages are answered meanwhile and all hear at once."""
    cursor = newest(told)
    waiting = [in_background(lambda: (told.events(cursor, wait=20), time.monotonic())) for _ in range(60)]
    time.sleep(3)
    connections = told.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and state = 'idle in transaction'"
    )
    assert connections == [0]
    listening = told.execute(
        "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and query ilike '%max(edge_events%'"
    )
    assert listening[0] <= 2, "one watcher a process"
    begun = time.monotonic()
    assert told.get("/readyz")[0] == 200
    assert time.monotonic() - begun < 1
    moment = told.deny("veverybody0000")
    for thread, _ in waiting:
        thread.join(10)
    times = sorted(results[0][1] - moment for _, results in waiting)
    print(f"sixty who wait: first {1000 * times[0]:.0f} ms, last {1000 * times[-1]:.0f} ms after the commit")
    assert all(results[0][0]["events"] for _, results in waiting)
    assert times[-1] < 2


def test_without_the_nudge_of_the_database_it_still_comes_within_a_second(told: Web) -> None:
    """As through a pooler of transactions, which swallows NOTIFY."""
    cursor = newest(told)
    thread, results = in_background(lambda: (told.events(cursor, wait=20), time.monotonic()))
    time.sleep(1)
    told.execute(
        "insert into edge_events (kind, subject, created_at, until)"
        " values ('deny', 'vsilent0000000', now(), now() + interval '1 hour')"
    )
    moment = time.monotonic()
    thread.join(10)
    assert results[0][0]["events"][0]["subject"] == "vsilent0000000"
    assert results[0][1] - moment < 1


def test_the_watcher_survives_the_loss_of_its_connection(told: Web) -> None:
    cursor = newest(told)
    thread, results = in_background(lambda: told.events(cursor, wait=20))
    time.sleep(1)
    told.execute(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    time.sleep(1.5)
    told.deny("vafter00000000")
    thread.join(10)
    assert results[0]["events"][0]["subject"] == "vafter00000000"


def test_who_hangs_up_is_forgotten_and_nobody_holds_back_the_end(told: Web) -> None:
    cursor = newest(told)
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", told.port)) as connection:
            connection.sendall(
                f"GET /control/events?cursor={cursor}&wait=25 HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {told.key}\r\n\r\n".encode()
            )
            time.sleep(0.2)
    stays, _ = in_background(lambda: told.events(cursor, wait=25))
    time.sleep(0.5)
    try:
        assert told.stop() < 4
    finally:
        stays.join(10)
        told.start()
