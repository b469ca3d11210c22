"""The loopback reader, spoken to over real sockets."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from app.core.errors import Unavailable
from app.media import source

DATA = bytes(range(256)) * 4096


def read(start: int, end: int) -> Iterator[bytes]:
    for position in range(start, end, 5000):
        yield DATA[position : min(position + 5000, end)]


def ask(
    url: str, method: str = "GET", headers: dict[str, str] | None = None, path: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request(method, path or parts.path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("header", "status", "start", "end"),
    [
        (None, 200, 0, len(DATA)),
        ("bytes=0-", 206, 0, len(DATA)),
        ("bytes=100-199", 206, 100, 200),
        ("bytes=-10", 206, len(DATA) - 10, len(DATA)),
        ("bytes=1048570-99999999", 206, 1048570, len(DATA)),
        ("bytes=-99999999", 206, 0, len(DATA)),
        ("bytes=1-2,4-5", 200, 0, len(DATA)),
        ("lines=1-2", 200, 0, len(DATA)),
    ],
)
def test_ranges(header: str | None, status: int, start: int, end: int) -> None:
    with source.serve(len(DATA), read) as url:
        got, headers, body = ask(url, headers={"Range": header} if header else None)
    assert got == status
    assert body == DATA[start:end]
    assert headers["Accept-Ranges"] == "bytes"
    if status == 206:
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize("header", ["bytes=1048576-", "bytes=99999999-", "bytes=10-5", "bytes=-0"])
def test_a_range_outside_is_416(header: str) -> None:
    with source.serve(len(DATA), read) as url:
        status, headers, _ = ask(url, headers={"Range": header})
    assert status == 416
    assert headers["Content-Range"] == f"bytes */{len(DATA)}"


def test_head_tells_the_size_alone() -> None:
    with source.serve(len(DATA), read) as url:
        status, headers, body = ask(url, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(len(DATA)), b"")


def test_only_the_random_path_answers() -> None:
    with source.serve(len(DATA), read) as url, source.serve(len(DATA), read) as other:
        assert urlsplit(url).hostname == "127.0.0.1"
        assert len(urlsplit(url).path) == 33
        for path in ("/", "/index.html", urlsplit(other).path, urlsplit(url).path + "x"):
            assert ask(url, path=path)[0] == 404
        assert ask(url, "POST")[0] == 501


def test_a_connection_is_kept_and_many_work_at_once() -> None:
    with source.serve(len(DATA), read) as url:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        for start in (0, 500, 1000):
            connection.request("GET", parts.path, headers={"Range": f"bytes={start}-{start + 99}"})
            assert connection.getresponse().read() == DATA[start : start + 100]
        connection.close()
        with ThreadPoolExecutor(16) as pool:
            bodies = list(pool.map(lambda n: ask(url, headers={"Range": f"bytes={n * 1000}-"})[2], range(32)))
    assert all(body == DATA[number * 1000 :] for number, body in enumerate(bodies))


def test_it_is_gone_after_the_block() -> None:
    with source.serve(len(DATA), read) as url:
        pass
    with pytest.raises(OSError, match="refused"):
        ask(url)


def test_a_read_that_breaks_off_is_taken_up_where_it_stopped() -> None:
    starts: list[int] = []

    def shaky(start: int, end: int) -> Iterator[bytes]:
        starts.append(start)
        yield DATA[start : start + 1000]
        if len(starts) < 3:
            raise ConnectionError("reset")
        yield from read(start + 1000, end)

    with source.serve(len(DATA), shaky) as url:
        assert ask(url)[2] == DATA
    assert starts == [0, 1000, 2000]


def test_a_read_that_fails_for_good_is_told_after_the_block() -> None:
    def broken(start: int, end: int) -> Iterator[bytes]:
        yield DATA[start : start + 1]
        raise ConnectionError("storage is away")

    with (
        pytest.raises(Unavailable) as caught,
        source.serve(len(DATA), broken) as url,
        pytest.raises(http.client.IncompleteRead),
    ):
        ask(url)
    assert caught.value.code == "source_unreadable"


def test_an_error_of_the_block_gives_way_to_the_failed_read() -> None:
    def broken(start: int, end: int) -> Iterator[bytes]:
        raise ConnectionError("storage is away")
        yield b""

    with pytest.raises(Unavailable), source.serve(len(DATA), broken) as url:  # noqa: PT012 - the block is the test
        with contextlib.suppress(http.client.HTTPException):
            ask(url)
        raise ValueError("what was made of it is wrong")


def test_a_reader_that_gives_too_little_or_too_much_never_passes() -> None:
    with (
        pytest.raises(Unavailable),
        source.serve(len(DATA), lambda _start, _end: iter([b""])) as url,
        pytest.raises(http.client.IncompleteRead),
    ):
        ask(url)
    with source.serve(len(DATA), lambda start, _end: iter([DATA[start:]])) as url:
        assert ask(url, headers={"Range": "bytes=0-9"})[2] == DATA[:10]
