"""The control channel's parts by themselves: what is read, what is kept, what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ConfigurationError
from app.core.settings import EdgeSettings, load
from app.core.signing import Grant
from edge.control import Control, Lost, _heard
from edge.denylist import Denylist, Notebook
from edge.evict import Cache
from edge.grants import Grants
from edge.metrics import Metrics
from edge.origin import Origin
from edge.revoke import Revoked, Revoker
from tests.edge.harness import media_id

SETTINGS = {
    "S3_ENDPOINT": "http://127.0.0.1:1", "S3_EDGE_READER_ACCESS_KEY": "a", "S3_EDGE_READER_SECRET_KEY": "b",
    "EDGE_SIGNING_KEY": "k:" + "A" * 44, "CACHE_PATH": "/c", "RUN_PATH": "/r",
}  # fmt: skip
SOON = time.time() + 3600


def _in_its_own_thread(work: Coroutine[Any, Any, None]) -> None:
    """Playwright keeps a loop running in the main thread, once a test of the browser has been here."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result(30)


def event(kind: str, subject: object, until: object = SOON) -> dict[str, object]:
    return {"id": 1, "kind": kind, "subject": subject, "until": until}


def test_an_answer_is_read() -> None:
    media, other = media_id(), media_id()
    events = [event("deny", "vabc0123456789"), event("deny", media), event("purge", other), event("purge", other)]
    heard = _heard(json.dumps({"events": events, "cursor": 7}).encode())
    assert heard.denials == {"vabc0123456789": SOON, media: SOON}
    assert (heard.purges, heard.cursor, heard.resync) == ((other,), 7, False)
    assert _heard(b'{"events": [], "cursor": 0, "resync": true}').resync


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{}", b"<html>", b'{"events": null, "cursor": 1}', b'{"events": [], "cursor": null}',
        b'{"events": [1], "cursor": 1}', b"\xff\xfe",
        *(
            json.dumps({"events": [one], "cursor": 1}).encode()
            for one in (
                event("deny", "../../etc"), event("deny", "vabc01234567890"), event("deny", "vabc0123456789\n"),
                event("deny", ".."), event("deny", ""), event("deny", None), event("deny", ["v"]),
                event("purge", "vabc0123456789"), event("purge", "g" * 64), event("purge", "A" * 64),
                event("erase", "vabc0123456789"), event("deny", "vabc0123456789", "soon"),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_not_used(body: bytes) -> None:
    with pytest.raises(Lost):
        _heard(body)


def test_a_denial_dies_with_its_end() -> None:
    denylist = Denylist()
    denylist.add("a", time.time() + 100)
    denylist.add("a", time.time() - 100)  # the longer one stays
    denylist.add("b", time.time() - 1)
    assert denylist.has("x", "a")
    assert not denylist.has("b", "x")
    denylist.expire(time.time())
    assert list(denylist.names()) == ["a"]


def test_the_notebook(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    book = Notebook(path)
    assert (book.read(Denylist()), book.heard_at()) == (0, None)
    book.write(7, {"vabc0123456789": SOON, "vold0000000000": 1.0})
    assert path.stat().st_mode & 0o777 == 0o600
    denylist = Denylist()
    assert book.read(denylist) == 7
    assert list(denylist.names()) == ["vabc0123456789"]
    os.utime(path, (1, 1))
    assert book.heard_at() == 1
    book.touch()
    assert time.time() - (book.heard_at() or 0) < 5
    for text in ("", "[]", '{"cursor": 1}', '{"cursor": 1, "denied": []}', '{"cursor": null, "denied": {}}'):
        path.write_text(text)
        assert book.read(Denylist()) == 0


def test_url_and_key_belong_together() -> None:
    assert load(EdgeSettings, SETTINGS).control_url is None
    both = {**SETTINGS, "CONTROL_URL": "https://rushes.example", "CONTROL_KEY": "k" * 40}
    assert load(EdgeSettings, both).control_cut_off == 60
    for name, value in (
        ("CONTROL_URL", ""), ("CONTROL_KEY", ""), ("CONTROL_KEY", "short"), ("CONTROL_URL", "rushes.example"),
        ("CONTROL_CUT_OFF", "61"), ("CONTROL_CUT_OFF", "0"),
    ):  # fmt: skip
        with pytest.raises(ConfigurationError) as caught:
            load(EdgeSettings, {**both, name: value})
        assert "CONTROL_" in caught.value.sentence
        assert "k" * 40 not in caught.value.sentence


def grant(scope: str, media: str, exp: int = 0) -> Grant:
    exp = exp or int(SOON)
    return Grant(f"{exp}.{scope}.k.sig", exp, scope, "k", "hls", media, "b0/x.m4s")


def parts(root: Path) -> tuple[Denylist, Grants, Cache, Revoker]:
    from edge.hydrate import Hydrator

    for name in ("tmp", "grants", "objects"):
        (root / name).mkdir()
    metrics, denylist, grants = Metrics(), Denylist(), Grants(root / "grants")
    cache = Cache(root / "objects", max_bytes=10**6, min_free=0, metrics=metrics)
    hydrator = Hydrator(cache, Origin(load(EdgeSettings, SETTINGS), metrics), root / "tmp", metrics)
    return denylist, grants, cache, Revoker(denylist, grants, cache, hydrator, root / "tmp", metrics)


def store(cache: Cache, key: str, size: int = 5000) -> None:
    path = cache.path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cache.reserve(size)
    path.write_bytes(b"x" * size)
    cache.commit(key, size)


def test_bytes_that_are_being_removed_still_count(tmp_path: Path) -> None:
    """The limit holds while the files of a purge are on their way out."""

    async def run() -> None:
        _, grants, cache, revoker = parts(tmp_path)
        media, other = media_id(), media_id()
        for name in ("a", "b/c"):
            store(cache, f"hls/{media}/b0/{name}")
        store(cache, f"mp4/{media}/b0/x")
        store(cache, f"hls/{other}/b0/x")
        for one in (media, other):
            grants.make(grant("vscope00000000", one))
        revoker.purge(media)
        assert (cache._stored, cache._reserved) == (8192, 3 * 8192)
        assert not (tmp_path / "objects" / media).exists()
        assert [path.parent.name for path in (tmp_path / "grants").glob("*/*/*")] == [other]
        assert len(grants) == 1
        await revoker.close()
        assert (cache._stored, cache._reserved) == (8192, 0)
        assert not list((tmp_path / "tmp").iterdir())
        revoker.purge(media)  # heard twice
        revoker.purge_all()
        assert not list((tmp_path / "objects").iterdir())
        assert not list((tmp_path / "grants").iterdir())
        await revoker.close()
        assert (cache._stored, cache._reserved, len(grants)) == (0, 0, 0)

    _in_its_own_thread(run())


def test_a_denied_grant_that_came_to_be_goes_again(tmp_path: Path) -> None:
    async def run() -> None:
        _, grants, _, revoker = parts(tmp_path)
        one, other = grant("vscope00000000", media_id()), grant("vother00000000", media_id())
        grants.make(one)
        grants.make(other)
        for _ in range(2):  # heard twice
            revoker.deny("vscope00000000", SOON)
            with pytest.raises(Revoked):
                revoker.check(one)
            revoker.check(other)
            assert [path.name for path in (tmp_path / "grants").iterdir()] == ["vother00000000"]
        grants.make(one)  # past the first look, before the second
        revoker.enforce([one.scope])
        assert not (tmp_path / "grants" / one.scope).exists()
        revoker.deny(other.media, SOON)
        with pytest.raises(Revoked):
            revoker.check(other)
        assert not list((tmp_path / "grants").glob("*/*/*"))
        await revoker.close()

    _in_its_own_thread(run())


def test_a_known_scope_is_one_with_a_living_grant(tmp_path: Path) -> None:
    grants = Grants(tmp_path)
    now = time.time()
    grants.make(grant("vscope00000000", media_id(), int(now) + 100))
    assert grants.knows("vscope00000000", now)
    assert not grants.knows("vscope00000000", now + 101)
    assert not grants.knows("vother00000000", now)
    again = Grants(tmp_path)
    again.rebuild(now)
    assert again.knows("vscope00000000", now)
    assert again.collect(now + 101) == 1
    assert (len(again), list(tmp_path.iterdir())) == (0, [])


def test_a_fake_clock_counts_sixty_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path
    denylist, *_, revoker = parts(root)
    both = {**SETTINGS, "CACHE_PATH": str(root), "CONTROL_URL": "http://127.0.0.1:1", "CONTROL_KEY": "k" * 40}
    clock = [1000.0]
    monkeypatch.setattr("edge.control.time.monotonic", lambda: clock[0])
    control = Control(load(EdgeSettings, both), denylist, revoker, Metrics())
    assert control.cut_off(), "it never heard anything"
    control._contact = clock[0]
    clock[0] += 60
    assert not control.cut_off()
    clock[0] += 0.1
    assert control.cut_off()
    alone = Control(load(EdgeSettings, {**SETTINGS, "CACHE_PATH": str(root)}), denylist, revoker, Metrics())
    assert not alone.cut_off()
