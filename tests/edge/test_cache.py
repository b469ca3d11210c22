"""The cache's bounds: its size at all times, its age, its disk; and what it knows after a restart."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.core.signing import new_scope
from tests.edge.harness import ROOT, Edge, media_id, token, url
from tests.edge.storage import S3
from tests.edge.wire import Wire

MIB = 1024**2
LIMIT = 64 * MIB


def used_bytes(edge: Edge) -> int:
    """Bytes of all files in the cache, those on their way included."""
    total = 0
    for folder in ("objects", "tmp"):
        for path in (edge.cache / folder).rglob("*"):
            try:
                total += path.stat().st_size if path.is_file() else 0
            except FileNotFoundError:
                continue
    return total


def here(edge: Edge, key: str) -> bool:
    kind, media, rest = key.split("/", 2)
    return (edge.cache / "objects" / media / kind / rest).exists()


def test_the_limit_holds_at_every_moment(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge(CACHE_MAX_BYTES=str(LIMIT))
    media = media_id()
    keys = [f"hls/{media}/b0/{number}.m4s" for number in range(30)]
    bodies = {key: secrets.token_bytes(16) * (4 * MIB // 16) for key in keys}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put(key, bodies[key]), keys))
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, used_bytes(edge))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    bearer = token(media)
    with ThreadPoolExecutor(8) as pool:
        for key, body in zip(keys, pool.map(lambda key: edge.get(f"/v/{bearer}/{key}").body, keys), strict=True):
            assert body == bodies[key]
    over.set()
    watcher.join()
    assert LIMIT // 2 < peak <= LIMIT
    assert edge.metric('guard_evictions_total{reason="size"}') >= 14
    assert used_bytes(edge) <= edge.metric("guard_cache_bytes") <= LIMIT
    assert here(edge, keys[-1])


def test_what_is_watched_stays(make_edge: Callable[..., Edge], s3: S3) -> None:
    """Caddy alone serves the favourite after its first use; its reads still count."""
    edge = make_edge(CACHE_MAX_BYTES=str(LIMIT))
    favourite = f"hls/{media_id()}/b0/x.m4s"
    body = secrets.token_bytes(1000) * 4000
    s3.put(favourite, body)
    address = url(favourite)
    assert edge.get(address).body == body
    others = [f"hls/{media_id()}/b0/x.m4s" for _ in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put(key, body), others))
    for key in others:
        assert edge.get(url(key, life=1)).status in (200, 410)
        assert edge.get(address).body == body
    assert here(edge, favourite)
    assert sum(here(edge, key) for key in others) <= 15


def test_an_object_larger_than_half_the_cache_is_served_through(
    make_edge: Callable[..., Edge], s3: S3, wire: Wire
) -> None:
    edge = make_edge(CACHE_MAX_BYTES=str(LIMIT))
    key = f"mp4/{media_id()}/b0/proxy.mp4"
    body = secrets.token_bytes(1024) * (33 * 1024)
    s3.put(key, body)
    address = url(key, letter="d")
    assert edge.get(address).body == body
    assert wire.count(key) == 1
    assert edge.get(address, headers={"Range": "bytes=1000-1999"}).body == body[1000:2000]
    assert edge.get(address, "HEAD").headers["content-length"] == str(len(body))
    assert edge.objects() == []
    assert edge.metric("guard_cache_reserved_bytes") == 0


def test_below_the_floor_of_the_disk_nothing_is_stored(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge(CACHE_MIN_FREE_BYTES=str(1 << 60))
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, b"x" * 100_000)
    address = url(key)
    for _ in range(2):
        assert edge.get(address).body == b"x" * 100_000
    assert edge.objects() == []


def test_a_disk_that_is_full_does_not_stop_delivery(make_edge: Callable[..., Edge], s3: S3, wire: Wire) -> None:
    """RLIMIT_FSIZE makes write(2) fail in the middle of an object, as a full disk does."""
    edge = make_edge()
    key = f"hls/{media_id()}/b0/x.m4s"
    body = secrets.token_bytes(3 * MIB)
    s3.put(key, body)
    import resource

    resource.prlimit(edge.child("guard"), resource.RLIMIT_FSIZE, (MIB, MIB))
    with ThreadPoolExecutor(5) as pool:
        bodies = list(pool.map(lambda _: edge.get(url(key)).body, range(5)))
    assert all(got == body for got in bodies)
    assert edge.objects() == []
    assert not list((edge.cache / "tmp").iterdir())
    assert edge.metric("guard_cache_reserved_bytes") == 0
    assert "cache_not_writable" in edge.log.read_text()


def test_without_room_for_a_grant_the_guard_serves_by_itself(edge: Edge, s3: S3, wire: Wire) -> None:
    key = f"hls/{media_id()}/b0/x.m4s"
    body = secrets.token_bytes(MIB)
    s3.put(key, body)
    scope = new_scope("v")
    (edge.cache / "grants" / scope).symlink_to("nowhere")  # no folder can be made there
    address = url(key, scope=scope)
    for _ in range(3):
        assert edge.get(address).body == body
        assert edge.settled()
    part = edge.get(address, headers={"Range": "bytes=1000-300999"})
    assert (part.status, part.body) == (206, body[1000:301_000])
    assert part.headers["etag"] == edge.get(url(key)).headers["etag"]
    assert wire.count(key) == 1


def test_a_restart_keeps_objects_and_grants(make_edge: Callable[..., Edge], s3: S3, wire: Wire) -> None:
    edge = make_edge(CACHE_MAX_BYTES=str(2 * LIMIT))
    keys = [f"hls/{media_id()}/b0/x.m4s" for _ in range(5)]
    for key in keys:
        s3.put(key, secrets.token_bytes(10_000))
    addresses = [url(key) for key in keys]
    before = [edge.get(address).body for address in addresses]
    count, size = edge.metric("guard_cache_objects"), edge.metric("guard_cache_bytes")
    (edge.cache / "tmp" / "left").write_bytes(b"x")
    edge.stop(signal.SIGKILL)
    edge.start()
    assert not (edge.cache / "tmp" / "left").exists()
    assert (edge.metric("guard_cache_objects"), edge.metric("guard_cache_bytes")) == (count, size) == (5, 5 * 12288)
    assert edge.metric("guard_grants") == 5
    wire.down()
    assert [edge.get(address).body for address in addresses] == before
    assert edge.get(url(keys[0])).body == before[0]


def test_a_smaller_limit_holds_from_the_start(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge(CACHE_MAX_BYTES=str(2 * LIMIT))
    keys = [f"hls/{media_id()}/b0/x.m4s" for _ in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put(key, b"x" * 4 * MIB), keys))
        list(pool.map(lambda key: edge.get(url(key)).status, keys))
    assert used_bytes(edge) == 80 * MIB
    edge.stop()
    edge.extra = {"CACHE_MAX_BYTES": str(LIMIT)}
    edge.start()
    assert used_bytes(edge) <= LIMIT


def test_after_the_machine_went_down_uncleanly_nothing_is_believed(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge()
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, b"whole")
    address = url(key)
    assert edge.get(address).body == b"whole"
    edge.stop()
    assert (edge.cache / "boot").read_text() == "clean"
    edge.start()
    assert here(edge, key)
    edge.stop(signal.SIGKILL)
    (edge.cache / "boot").write_text("another-boot")
    edge.start()
    assert not here(edge, key)
    assert edge.get(address).body == b"whole"


def test_old_objects_and_expired_grants_go(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge(CACHE_TTL_DAYS="2")
    old, fresh = (f"hls/{media_id()}/b0/x.m4s" for _ in range(2))
    for key in (old, fresh):
        s3.put(key, b"x")
        assert edge.get(url(key, life=2)).status == 200
    edge.stop()
    kind, media, rest = old.split("/", 2)
    path = edge.cache / "objects" / media / kind / rest
    long_ago = time.time() - 3 * 86400
    os.utime(path, (long_ago, path.stat().st_mtime))
    time.sleep(1.5)
    edge.start()
    end = time.monotonic() + 5
    while here(edge, old) and time.monotonic() < end:
        time.sleep(0.05)
    assert not here(edge, old)
    assert not path.parent.parent.parent.exists()
    assert here(edge, fresh)
    assert edge.metric("guard_grants") == 0
    assert list((edge.cache / "grants").iterdir()) == []


def test_two_guards_do_not_share_a_cache(make_edge: Callable[..., Edge]) -> None:
    edge = make_edge()
    environ = {**edge.environment(), "RUN_PATH": str(edge.folder / "run2")}
    Path(environ["RUN_PATH"]).mkdir()
    second = subprocess.run(
        [sys.executable, "-m", "edge.guard"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=20,
    )
    assert second.returncode == 78
    assert "in use by another guard" in second.stderr
    assert edge.guard("/healthz").status == 200
