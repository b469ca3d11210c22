"""Revocation end to end: PostgreSQL, the real web, the real guard and Caddy."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.signing import new_scope
from tests.edge.control_web import Web
from tests.edge.harness import Edge, media_id, token, url
from tests.edge.storage import S3
from tests.edge.wire import Wire

BODY = secrets.token_bytes(200_000)
WITHIN = 1.0


@pytest.fixture(scope="module")
def shared_line(told: Web) -> Iterator[Wire]:
    """What lies between web and edge."""
    line = Wire(told.port)
    yield line
    line.down()


@pytest.fixture
def line(shared_line: Wire) -> Iterator[Wire]:
    shared_line.reset_faults()
    yield shared_line
    shared_line.reset_faults()


@pytest.fixture
def linked(make_edge: Callable[..., Edge], line: Wire, told: Web) -> Callable[..., Edge]:
    """Start an edge that listens to the web."""

    def make(**extra: str) -> Edge:
        return make_edge(**{"CONTROL_URL": f"http://127.0.0.1:{line.port}", "CONTROL_KEY": told.key, **extra})

    return make


def until(seen: Callable[[], bool], within: float = WITHIN) -> float:
    """Seconds until it was seen."""
    begun = time.monotonic()
    while not seen():
        assert time.monotonic() - begun < within, "not in time"
        time.sleep(0.005)
    return time.monotonic() - begun


def put(s3: S3, name: str = "0.m4s", media: str = "") -> str:
    key = f"hls/{media or media_id()}/b0/{name}"
    s3.put(key, BODY)
    return key


def address(key: str, scope: str, life: float = 600) -> str:
    return url(key, scope=scope, life=life)


def heard(edge: Edge) -> float:
    """Seconds since the edge heard of the web."""
    return edge.metric("guard_control_age_seconds")


def notebook(edge: Edge) -> dict[str, object]:
    return dict(json.loads((edge.cache / "control.json").read_text()))


def test_a_revoked_scope_is_dead_within_a_second(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked()
    key, other = put(s3), put(s3)
    cold = put(s3, "1.m4s", key.split("/")[1])
    stays = new_scope("v")
    assert edge.get(address(key, stays)).status == 200
    times = []
    for _ in range(10):
        scope = new_scope("v")
        hot = address(key, scope)
        assert edge.get(hot).body == BODY
        assert edge.settled()
        before = edge.metric('guard_requests_total{outcome="handed_to_caddy"}')
        assert edge.get(hot).body == BODY
        assert edge.metric('guard_requests_total{outcome="handed_to_caddy"}') == before, "Caddy alone"
        moment = told.deny(scope)
        while edge.get(hot).status == 200:
            assert time.monotonic() - moment < WITHIN
        times.append(time.monotonic() - moment)
        refused = edge.get(hot)
        assert (refused.status, refused.body) == (403, b"")
        assert refused.headers["cache-control"] == "no-store"
        for more in (address(cold, scope), address(other, scope), address(key, scope, life=900)):
            assert edge.get(more).status == 403
        assert edge.get(hot, "HEAD").status == 403
        assert edge.get(hot, headers={"Range": "bytes=0-9"}).status == 403
        assert not (edge.cache / "grants" / scope).exists()
    print(f"commit to 403 on a hot object: {sorted(f'{1000 * each:.1f}' for each in times)} ms")
    assert edge.get(address(key, stays)).status == 200
    assert edge.metric("guard_denials_total") >= 10
    assert edge.metric('guard_requests_total{outcome="revoked"}') >= 60
    assert edge.objects(), "what others watch stays in the cache"


def test_many_scopes_in_one_transaction(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked()
    key = put(s3)
    scopes = [new_scope("m") for _ in range(50)]
    for scope in scopes:
        assert edge.get(address(key, scope)).status == 200
    told.deny(*scopes)
    until(lambda: all(edge.get(address(key, scope)).status == 403 for scope in scopes), 2 * WITHIN)
    assert until(lambda: edge.metric("guard_grants") == 0) < WITHIN


def test_a_denial_while_the_object_is_being_fetched_cuts_it_off(
    linked: Callable[..., Edge], told: Web, s3: S3, wire: Wire
) -> None:
    edge = linked()
    key = f"hls/{media_id()}/b0/long.m4s"
    s3.put(key, secrets.token_bytes(4_000_000))
    wire.pause = 0.1  # 6 s in all
    denied, stays = new_scope("v"), new_scope("v")
    ended: dict[str, tuple[float, int]] = {}

    def watch(scope: str) -> None:
        try:
            size = len(edge.get(address(key, scope)).body)
        except http.client.IncompleteRead as error:
            size = -len(error.partial)
        ended[scope] = (time.monotonic(), size)

    threads = [threading.Thread(target=watch, args=(scope,)) for scope in (denied, stays)]
    for each in threads:
        each.start()
    until(lambda: edge.metric("guard_origin_bytes_total") > 500_000, 5)
    moment = told.deny(denied)
    threads[0].join(5)
    at, size = ended[denied]
    assert at - moment < WITHIN
    assert -4_000_000 < size < 0, "it was cut off in the middle"
    assert edge.get(address(key, denied)).status == 403
    threads[1].join(15)
    assert ended[stays][1] == 4_000_000, "who may watch gets all of the same flight"
    assert edge.settled()
    assert wire.count(key) == 1


def test_a_denial_before_the_first_byte(linked: Callable[..., Edge], told: Web, s3: S3, wire: Wire) -> None:
    edge = linked()
    key, scope = put(s3), new_scope("v")
    wire.pause = 0.8
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(edge.get(address(key, scope)).status))
    asking.start()
    until(lambda: edge.metric("guard_flights_now") == 1)
    told.deny(scope)
    asking.join(10)
    assert answers == [403]
    assert edge.settled()
    assert not (edge.cache / "grants" / scope).exists()


def test_a_purge_while_the_object_is_being_fetched_does_not_bring_it_back(
    linked: Callable[..., Edge], told: Web, s3: S3, wire: Wire
) -> None:
    edge = linked()
    key, scope = f"hls/{media_id()}/b0/long.m4s", new_scope("v")
    old, new = secrets.token_bytes(2_000_000), secrets.token_bytes(1_000_000)
    s3.put(key, old)
    wire.pause = 0.05
    got: list[bytes] = []
    watching = threading.Thread(target=lambda: got.append(edge.get(address(key, scope)).body))
    watching.start()
    until(lambda: edge.metric("guard_origin_bytes_total") > 300_000, 5)
    s3.put(key, new)
    told.purge([key.split("/")[1]])
    until(lambda: edge.metric("guard_purges_total") == 1)
    assert edge.get(address(key, scope)).body == new, "a flight of its own, before the first one has ended"
    watching.join(10)
    assert got == [old], "who read already has read on"
    assert edge.settled()
    assert [path.stat().st_size for path in edge.objects()] == [len(new)]
    assert edge.get(address(key, scope)).body == new
    assert edge.metric("guard_cache_reserved_bytes") == 0


def test_a_purge_takes_all_of_a_media_id_and_nothing_else(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked()
    media = media_id()
    keys = [put(s3, f"{number}.m4s", media) for number in range(5)]
    other, scope = put(s3), new_scope("v")
    for key in (*keys, other):
        assert edge.get(address(key, scope)).status == 200
    assert edge.settled()
    stored = edge.metric("guard_cache_bytes")
    for key in keys:
        s3.client().delete_object(Bucket="previews", Key=key)
    told.purge([media])
    until(lambda: len(edge.objects()) == 1)
    assert all(edge.get(address(key, scope)).status == 404 for key in keys)
    assert edge.get(address(other, scope)).status == 200
    assert edge.metric("guard_cache_bytes") == stored / 6
    until(lambda: edge.metric("guard_cache_reserved_bytes") == 0)
    assert not list((edge.cache / "tmp").iterdir())
    again = put(s3, "0.m4s", media)
    until(lambda: edge.get(address(again, scope)).status == 200, 10)  # a miss is remembered for a moment


def test_a_forbidden_media_id_comes_back_for_nobody(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked()
    key, scope = put(s3), new_scope("m")
    assert edge.get(address(key, scope)).status == 200
    told.purge([key.split("/")[1]], forbid=True)
    until(lambda: edge.get(address(key, scope)).status == 403)
    assert edge.get(address(key, new_scope("m"))).status == 403
    assert edge.get(address(put(s3), scope)).status == 200
    assert not [path for path in edge.objects() if key.split("/")[1] in str(path)]


def test_what_was_denied_meanwhile_is_known_before_the_first_request(
    linked: Callable[..., Edge], told: Web, s3: S3
) -> None:
    """Stopped in order and killed: grants on the disk are not served to who was revoked in between."""
    edge = linked()
    key = put(s3)
    for with_signal in (signal.SIGTERM, signal.SIGKILL):
        scope, stays = new_scope("v"), new_scope("v")
        for each in (scope, stays):
            assert edge.get(address(key, each)).status == 200
        assert edge.settled()
        cursor = notebook(edge)["cursor"]
        edge.stop(with_signal)
        told.deny(scope)
        edge.start()
        assert edge.get(address(key, scope)).status == 403
        assert edge.get(address(key, stays)).status == 200
        assert edge.metric("guard_resyncs_total") == 0
        assert notebook(edge)["cursor"] > cursor  # type: ignore[operator]


def test_the_denylist_outlives_guard_and_web(linked: Callable[..., Edge], told: Web, s3: S3, line: Wire) -> None:
    edge = linked()
    key, denied, known = put(s3), new_scope("v"), new_scope("v")
    for scope in (denied, known):
        assert edge.get(address(key, scope)).status == 200
    told.deny(denied)
    until(lambda: denied in notebook(edge)["denied"])  # type: ignore[operator]
    edge.stop(signal.SIGKILL)
    line.down()
    begun = time.monotonic()
    edge.start()  # it waits for the web for some seconds, then does with what it knows
    assert time.monotonic() - begun > 5
    assert "edge_not_caught_up" in edge.log.read_text()
    assert edge.get(address(key, denied)).status == 403
    assert edge.get(address(key, known)).status == 200
    assert edge.get(address(key, new_scope("v"))).status == 200, "the last contact was less than a minute ago"


def test_cut_off_it_lets_nobody_new_in(linked: Callable[..., Edge], told: Web, s3: S3, line: Wire) -> None:
    edge = linked(CONTROL_CUT_OFF="3")
    media = media_id()
    hot, cold = put(s3, "0.m4s", media), put(s3, "1.m4s", media)
    known = new_scope("v")
    assert edge.get(address(hot, known)).status == 200
    time.sleep(4)
    assert heard(edge) < 2, "silence of the web is an answer too"
    line.down()
    lost = time.monotonic()
    assert edge.get(address(hot, new_scope("v"))).status == 200, "not yet"
    until(lambda: edge.get(address(hot, new_scope("v"))).status == 503, 4)
    print(f"cut off: new scopes are refused after {time.monotonic() - lost:.1f} s with a limit of 3 s")
    refused = edge.get(address(hot, new_scope("v")))
    assert refused.headers["retry-after"] == "5"
    assert edge.get(address(hot, known)).status == 200
    assert edge.get(address(cold, known)).status == 200, "a session that is under way goes on"
    assert edge.metric('guard_requests_total{outcome="edge_cut_off"}') > 0
    edge.stop(signal.SIGKILL)
    edge.start()
    assert edge.get(address(hot, new_scope("v"))).status == 503, "a restart is no contact"
    assert edge.get(address(hot, known)).status == 200
    told.deny(known)
    line.up()
    until(lambda: edge.get(address(hot, new_scope("v"))).status == 200, 4)
    assert edge.get(address(hot, known)).status == 403
    until(lambda: "control_back" in edge.log.read_text())


def test_a_web_that_hangs_is_no_contact(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked(CONTROL_CUT_OFF="3")
    key = put(s3)
    assert edge.get(address(key, new_scope("v"))).status == 200
    told.signal(signal.SIGSTOP)
    try:
        until(lambda: edge.get(address(key, new_scope("v"))).status == 503, 6)
    finally:
        told.signal(signal.SIGCONT)
    until(lambda: edge.get(address(key, new_scope("v"))).status == 200, 10)


def test_an_edge_that_never_heard_anything_lets_nobody_in(
    make_edge: Callable[..., Edge], told: Web, s3: S3, line: Wire
) -> None:
    edge = make_edge(CONTROL_URL=f"http://127.0.0.1:{line.port}", CONTROL_KEY="x" * 43)
    key = put(s3)
    assert edge.get(address(key, new_scope("v"))).status == 503
    log = edge.log.read_text()
    assert "status 401: CONTROL_KEY is not that of the web" in log
    assert "x" * 43 not in log


def test_when_the_web_has_another_past_the_edge_begins_anew(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked(CONTROL_CUT_OFF="3")
    key, scope, gone = put(s3), new_scope("v"), new_scope("v")
    assert edge.get(address(key, scope)).status == 200
    told.deny(gone)
    until(lambda: edge.get(address(key, gone)).status == 403)
    assert edge.settled()
    told.execute("delete from edge_events")
    until(lambda: edge.metric("guard_resyncs_total") == 1, 5)
    assert not edge.objects()
    assert not list((edge.cache / "grants").iterdir())
    until(lambda: notebook(edge) == {"cursor": 0, "denied": {}})
    assert edge.get(address(key, scope)).status == 200
    assert edge.get(address(key, gone)).status == 200, "the database does not say any more that it is denied"
    time.sleep(2)
    assert edge.metric("guard_resyncs_total") == 1, "once is enough"
    told.deny(scope)
    until(lambda: edge.get(address(key, scope)).status == 403)
    assert edge.metric("guard_resyncs_total") <= 2


def test_without_a_control_url_it_says_so(edge: Edge, s3: S3) -> None:
    assert '"control_off"' in edge.log.read_text()
    assert edge.get(url(put(s3))).status == 200


def test_the_edge_hears_of_a_web_that_was_away(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    """The web stops, with the edge's poll waiting, and comes again."""
    edge = linked()
    key, scope = put(s3), new_scope("v")
    assert edge.get(address(key, scope)).status == 200
    assert told.stop() < 4, "a poll that waits does not hold the web back"
    told.deny(scope)
    assert edge.get(address(key, scope)).status == 200, "it cannot know"
    told.start()
    until(lambda: edge.get(address(key, scope)).status == 403, 4)


def test_tokens_of_the_denied_do_not_stand_in_the_log(linked: Callable[..., Edge], told: Web, s3: S3) -> None:
    edge = linked()
    key, scope = put(s3), new_scope("v")
    bearer = token(key.split("/")[1], scope=scope)
    assert edge.get(f"/v/{bearer}/{key}").status == 200
    told.deny(scope)
    until(lambda: edge.get(f"/v/{bearer}/{key}").status == 403)
    edge.stop()
    log = edge.log.read_text()
    assert bearer.rpartition(".")[2] not in log
    assert told.key not in log
    assert told.key not in Path(told.log).read_text()
