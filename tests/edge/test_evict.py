"""What leaves first, on real files: the index alone, without servers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.evict import Cache, blocks
from edge.metrics import Metrics

MIB = 1024**2


def cache_of(root: Path, watched: Callable[[str, float], bool] = lambda _media, _now: False) -> Cache:
    return Cache(root, max_bytes=10 * MIB, min_free=0, metrics=Metrics(), watched=watched)


def store(cache: Cache, key: str, size: int = 2 * MIB) -> bool:
    if not cache.reserve(size):
        return False
    path = cache.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, ns=(0, path.stat().st_mtime_ns))
    cache.commit(key, size)
    return True


def keys(number: int) -> list[str]:
    return [f"hls/{index:064x}/b0/x.m4s" for index in range(number)]


def left(cache: Cache, some: list[str]) -> list[int]:
    return [index for index, key in enumerate(some) if cache.path(key).exists()]


def test_the_oldest_use_leaves_first(tmp_path: Path) -> None:
    cache, some = cache_of(tmp_path), keys(6)
    for key in some[:5]:
        store(cache, key)
    assert cache.has(some[0])
    store(cache, some[5])
    assert left(cache, some) == [0, 2, 3, 4, 5]
    assert not cache.path(some[1]).parent.parent.parent.exists()


def test_a_read_that_the_guard_never_saw_counts(tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    probe.write_bytes(b"x")
    os.utime(probe, ns=(0, probe.stat().st_mtime_ns))
    probe.read_bytes()
    if probe.stat().st_atime == 0:
        pytest.skip("this file system keeps no access times (noatime)")
    probe.unlink()
    cache, some = cache_of(tmp_path), keys(7)
    for key in some[:5]:
        store(cache, key)
    time.sleep(0.02)
    cache.path(some[0]).read_bytes()
    store(cache, some[5])
    assert left(cache, some) == [0, 2, 3, 4, 5]
    assert cache.path(some[0]).stat().st_atime == 0  # armed again
    for _ in range(3):
        store(cache, some[6])
    assert 0 in left(cache, some)


def test_what_is_granted_stays_while_there_is_a_choice(tmp_path: Path) -> None:
    some = keys(8)
    watched = {some[0].split("/")[1], some[1].split("/")[1]}
    cache = cache_of(tmp_path, lambda media, _now: media in watched)
    for key in some[:7]:
        store(cache, key)
    assert left(cache, some) == [0, 1, 4, 5, 6]
    watched.update(key.split("/")[1] for key in some)
    assert store(cache, some[7])  # all of them are watched: the bound holds all the same
    assert len(left(cache, some)) == 5


def test_promises_count(tmp_path: Path) -> None:
    cache, some = cache_of(tmp_path), keys(6)
    for key in some[:5]:
        store(cache, key)
    assert cache.reserve(5 * MIB)
    assert len(left(cache, some)) == 2
    assert cache.reserve(4 * MIB)
    assert left(cache, some) == []
    assert not cache.reserve(2 * MIB)  # all is promised
    cache.release(4 * MIB)
    assert cache.reserve(2 * MIB)
    assert not cache.reserve(6 * MIB)  # more than half


def test_the_index_is_rebuilt_in_order_of_use(tmp_path: Path) -> None:
    cache, some = cache_of(tmp_path), keys(6)
    for age, key in enumerate(some[:5]):
        store(cache, key)
        path = cache.path(key)
        os.utime(path, (time.time() - age * 100, path.stat().st_mtime))
    again = cache_of(tmp_path)
    again.rebuild()
    store(again, some[5])
    assert left(again, some) == [0, 1, 2, 3, 5]


def test_age(tmp_path: Path) -> None:
    cache, some = cache_of(tmp_path), keys(3)
    for key in some:
        store(cache, key)
    assert cache.expire(time.time() - 60) == 0
    assert cache.expire(time.time() + 60) == 3
    assert left(cache, some) == []


@pytest.mark.parametrize(("size", "taken"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_blocks(size: int, taken: int) -> None:
    assert blocks(size) == taken
