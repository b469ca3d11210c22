"""Whole, in ranges, and only if changed: a miss, a hit and a hit without the guard answer alike."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable

import pytest

from tests.edge.harness import Answer, Edge, media_id, token, url
from tests.edge.storage import S3

BODY = secrets.token_bytes(300_000)
ALIKE = (
    "etag",
    "last-modified",
    "content-length",
    "content-range",
    "content-type",
    "accept-ranges",
    "cache-control",
)


def both(edge: Edge, s3: S3, **headers: str) -> tuple[Answer, Answer]:
    """The same request on an object that is not here, and on one that is."""
    key = f"hls/{media_id()}/b0/v360/00000.m4s"
    s3.put(key, BODY)
    address = url(key)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    cold = edge.get(address, headers=given)
    assert edge.get(address).body == BODY
    return cold, edge.get(address, headers=given)


@pytest.mark.parametrize(
    ("wanted", "status", "start", "end"),
    [
        ("bytes=0-1", 206, 0, 2),
        ("bytes=0-", 206, 0, 300_000),
        ("bytes=100-199", 206, 100, 200),
        ("bytes=299999-", 206, 299_999, 300_000),
        ("bytes=299990-400000", 206, 299_990, 300_000),
        ("bytes=-5", 206, 299_995, 300_000),
        ("bytes=-400000", 206, 0, 300_000),
    ],
)
def test_ranges(edge: Edge, s3: S3, wanted: str, status: int, start: int, end: int) -> None:
    cold, hot = both(edge, s3, Range=wanted)
    for answer in (cold, hot):
        assert (answer.status, answer.body) == (status, BODY[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/300000"
    assert [cold.headers.get(name) for name in ALIKE] == [hot.headers.get(name) for name in ALIKE]


@pytest.mark.parametrize("wanted", ["bytes=300000-", "bytes=400000-500000", "bytes=5-2", "bytes=x-y", "bytes=-"])
def test_ranges_that_are_not_there(edge: Edge, s3: S3, wanted: str) -> None:
    cold, hot = both(edge, s3, Range=wanted)
    assert (cold.status, hot.status) == (416, 416)
    assert cold.headers["access-control-allow-origin"] == "*"
    if "00" in wanted:
        assert cold.headers["content-range"] == hot.headers["content-range"] == "bytes */300000"


def test_several_ranges_may_be_answered_by_the_whole(edge: Edge, s3: S3) -> None:
    cold, hot = both(edge, s3, Range="bytes=0-1,5-6")
    assert (cold.status, cold.body) == (200, BODY)
    assert hot.status == 206


def test_whole(edge: Edge, s3: S3) -> None:
    cold, hot = both(edge, s3)
    assert cold.body == hot.body == BODY
    assert [cold.headers.get(name) for name in ALIKE] == [hot.headers.get(name) for name in ALIKE]
    assert hot.headers["cache-control"] == "private, max-age=300"


def test_head(edge: Edge, s3: S3) -> None:
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, BODY)
    address = url(key)
    cold = edge.get(address, "HEAD")
    assert edge.get(address).body == BODY
    hot = edge.get(address, "HEAD")
    assert (cold.status, cold.body, hot.status, hot.body) == (200, b"", 200, b"")
    assert [cold.headers.get(name) for name in ALIKE] == [hot.headers.get(name) for name in ALIKE]


def test_only_if_changed(edge: Edge, s3: S3) -> None:
    key = f"hls/{media_id()}/b0/x.m4s"
    s3.put(key, BODY)
    address = url(key)
    facts = edge.get(address).headers
    etag, modified = facts["etag"], facts["last-modified"]
    cases = [
        ({"If-None-Match": etag}, 304, b""),
        ({"If-None-Match": f'"other", W/{etag}'}, 304, b""),
        ({"If-None-Match": "*"}, 304, b""),
        ({"If-None-Match": '"other"'}, 200, BODY),
        ({"If-Modified-Since": modified}, 304, b""),
        ({"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}, 200, BODY),
        ({"If-None-Match": '"other"', "If-Modified-Since": modified}, 200, BODY),
        ({"Range": "bytes=0-9", "If-Range": etag}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If-Range": '"other"'}, 200, BODY),
        ({"Range": "bytes=0-9", "If-Range": f"W/{etag}"}, 200, BODY),
        ({"Range": "bytes=0-9", "If-Range": modified}, 206, BODY[:10]),
        ({"Range": "bytes=0-9", "If-Range": "Mon, 01 Jan 2024 00:00:00 GMT"}, 200, BODY),
        ({"Range": "bytes=0-9", "If-None-Match": etag}, 304, b""),
    ]
    for headers, status, body in cases:
        hot = edge.get(address, headers=headers)
        assert (hot.status, hot.body) == (status, body), headers
    for path in edge.objects():
        if key.split("/")[1] in str(path):
            path.unlink()
    for headers, status, body in cases:
        cold = edge.get(address, headers=headers)
        assert (cold.status, cold.body) == (status, body), headers
        for path in edge.objects():
            if key.split("/")[1] in str(path):
                path.unlink()


def test_types_go_by_name(edge: Edge, s3: S3) -> None:
    media = media_id()
    wanted = {
        f"hls/{media}/b0/master.m3u8": "application/vnd.apple.mpegurl",
        f"hls/{media}/b0/a/init.mp4": "video/mp4",
        f"hls/{media}/b0/a/0.m4s": "video/iso.segment",
        f"hls/{media}/b0/a/0.ts": "video/mp2t",
        f"stills/{media}/b0/poster.jpg": "image/jpeg",
        f"thumbs/{media}/b0/t.vtt": "text/vtt; charset=utf-8",
        f"waveforms/{media}/b0/w.json": "application/json",
        f"files/{media}/b0/page.html": "application/octet-stream",
        f"files/{media}/b0/picture.svg": "application/octet-stream",
        f"files/{media}/b0/noname": "application/octet-stream",
    }
    bearer = token(media, letter="m")
    for key, kind in wanted.items():
        s3.put(key, b"<script>alert(1)</script>")
        for _ in range(2):
            assert edge.get(f"/v/{bearer}/{key}").headers["content-type"] == kind, key


def test_a_hot_object_is_served_without_the_guard(make_edge: Callable[..., Edge], s3: S3) -> None:
    edge = make_edge()
    media = media_id()
    key = f"hls/{media}/b0/x.m4s"
    s3.put(key, BODY)
    address = url(key)
    assert edge.get(address).body == BODY
    assert edge.settled()
    guard = edge.child("guard")
    os.kill(guard, signal.SIGSTOP)
    try:
        assert edge.get(address).body == BODY
        assert edge.get(address, headers={"Range": "bytes=-5"}).body == BODY[-5:]
    finally:
        os.kill(guard, signal.SIGCONT)


def test_an_empty_object(edge: Edge, s3: S3) -> None:
    key = f"files/{media_id()}/b0/empty.json"
    s3.put(key, b"")
    address = url(key, letter="m")
    for _ in range(2):
        assert (edge.get(address).status, edge.get(address).body) == (200, b"")
