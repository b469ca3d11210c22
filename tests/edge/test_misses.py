"""Misses: one read of the storage for all, and nothing kept but whole objects."""

from __future__ import annotations

import http.client
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.harness import Edge, media_id, token, url
from tests.edge.storage import S3
from tests.edge.wire import Wire

BODY = secrets.token_bytes(4_000_000)


def stored(s3: S3, body: bytes = BODY, name: str = "b0/v360/00000.m4s") -> str:
    key = f"hls/{media_id()}/{name}"
    s3.put(key, body)
    return key


def on_disk(edge: Edge, key: str) -> bool:
    kind, media, rest = key.split("/", 2)
    return (edge.cache / "objects" / media / kind / rest).exists()


def test_fifty_viewers_at_once_are_one_read(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    address = url(key)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: edge.get(address), range(50)))
    assert {answer.status for answer in answers} == {200}
    assert all(answer.body == BODY for answer in answers)
    assert wire.count(key) == 1
    assert on_disk(edge, key)


def test_viewers_with_other_tokens_and_ranges_share_the_read(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    wire.pause = 0.005
    spans = [(number * 70_000, number * 70_000 + 50_000) for number in range(50)]

    def part(span: tuple[int, int]) -> bytes:
        return edge.get(url(key), headers={"Range": f"bytes={span[0]}-{span[1] - 1}"}).body

    with ThreadPoolExecutor(50) as pool:
        parts = list(pool.map(part, spans))
    assert parts == [BODY[start:end] for start, end in spans]
    assert wire.count(key) == 1


def test_the_first_bytes_come_before_the_object_is_whole(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    wire.pause = 0.02  # the whole takes more than a second
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    begun = time.monotonic()
    connection.request("GET", url(key), headers={"Host": "localhost"})
    response = connection.getresponse()
    first = response.read(1000)
    first_after = time.monotonic() - begun
    rest = response.read()
    whole_after = time.monotonic() - begun
    connection.close()
    assert first + rest == BODY
    assert first_after < whole_after / 2


def test_a_range_far_ahead_does_not_wait(edge: Edge, s3: S3, wire: Wire) -> None:
    body = secrets.token_bytes(12_000_000)
    key = f"mp4/{media_id()}/b0/proxy.mp4"
    s3.put(key, body)
    wire.pause = 0.01  # the whole takes about 2 s
    begun = time.monotonic()
    answer = edge.get(url(key, letter="d"), headers={"Range": "bytes=11900000-11900999"})
    took = time.monotonic() - begun
    assert (answer.status, answer.body) == (206, body[11_900_000:11_901_000])
    assert edge.metric("guard_flights_now") == 1  # it goes on
    assert edge.settled()
    assert took < (time.monotonic() - begun) / 2
    assert wire.count(key) == 2
    assert on_disk(edge, key)


def test_a_viewer_who_leaves_does_not_spoil_the_object(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    wire.pause = 0.005
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    address = url(key)
    connection.request("GET", address, headers={"Host": "localhost"})
    connection.getresponse().read(1000)
    connection.close()
    assert edge.settled()
    assert edge.get(address).body == BODY
    assert wire.count(key) == 1


def test_an_object_that_is_not_there(edge: Edge, wire: Wire) -> None:
    key = f"hls/{media_id()}/b0/none.m4s"
    answer = edge.get(url(key))
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not on_disk(edge, key)


def test_an_object_appears_when_it_is_published(edge: Edge, s3: S3) -> None:
    key = f"hls/{media_id()}/b0/late.m4s"
    address = url(key)
    assert edge.get(address).status == 404
    s3.put(key, b"now")
    assert edge.get(address).body == b"now"


def test_an_origin_that_is_down_is_said_at_once(edge: Edge, s3: S3, wire: Wire) -> None:
    hot, cold = stored(s3), stored(s3)
    assert edge.get(url(hot)).status == 200
    wire.down()
    begun = time.monotonic()
    answer = edge.get(url(cold))
    assert answer.status == 502
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert time.monotonic() - begun < 1.5
    assert edge.get(url(hot)).body == BODY  # hot, and with a token that was never seen
    wire.up()
    assert edge.get(url(cold)).body == BODY


def test_a_body_that_breaks_off_once_is_resumed(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    wire.cut_after = 2_500_000
    assert edge.get(url(key)).body == BODY
    assert wire.count(key) == 2


def test_a_body_that_breaks_off_for_good_is_not_kept(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3)
    address = url(key)
    wire.cut_after = 300_000
    with pytest.raises(http.client.IncompleteRead):
        edge.get(address)
    assert edge.settled()
    assert not on_disk(edge, key)
    assert not list((edge.cache / "tmp").iterdir())
    assert edge.metric("guard_cache_reserved_bytes") == 0
    wire.reset_faults()
    assert edge.get(address).body == BODY


def test_growing_playlists_are_never_kept(edge: Edge, s3: S3, wire: Wire) -> None:
    key = stored(s3, b"#EXTM3U\n#1", "b0/v360.live.m3u8")
    address = url(key)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: edge.get(address), range(20)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"#EXTM3U\n#1")}
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[0].headers["content-type"] == "application/vnd.apple.mpegurl"
    assert wire.count(key) == 1
    s3.put(key, b"#EXTM3U\n#1\n#2")
    end = time.monotonic() + 3
    while edge.get(address).body != b"#EXTM3U\n#1\n#2":
        assert time.monotonic() < end
        time.sleep(0.1)
    assert not on_disk(edge, key)
    assert edge.get(f"/v/{token(key.split('/')[1], life=-1)}/{key}").status == 410
    wire.down()
    time.sleep(1.1)
    answer = edge.get(address)
    assert (answer.status, answer.headers["cache-control"]) == (502, "no-store")


def test_an_answer_that_is_not_from_s3_is_not_kept(make_edge: Callable[..., Edge], tmp_path: object) -> None:
    """A captive portal says 200 to everything; its page has no ETag."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = b"<html>Please accept our terms</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Last-Modified", "Fri, 20 Nov 2026 10:00:00 GMT")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as portal:
        threading.Thread(target=portal.serve_forever, daemon=True).start()
        edge = make_edge(S3_ENDPOINT=f"http://127.0.0.1:{portal.server_port}")
        assert edge.get(url(f"hls/{media_id()}/b0/x.m4s")).status == 502
        assert edge.objects() == []
        portal.shutdown()


def test_keys_that_may_not_read_look_like_missing_objects(make_edge: Callable[..., Edge], s3: S3) -> None:
    key = stored(s3)
    edge = make_edge(S3_EDGE_READER_ACCESS_KEY="upkey", S3_EDGE_READER_SECRET_KEY="upsecretupsecret")
    assert edge.get(url(key)).status == 404
    assert edge.get(url(key)).status == 404
    assert edge.log.read_text().count("origin_denied") == 1
