"""Conditional and range requests (RFC 9110 sections 13 and 14), answered as Caddy answers them for a hit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from edge.origin import Facts

_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.ASCII)
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Answer:
    """Status 200, 206, 304 or 416, its headers, and the bytes [start, end) that belong to it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    start: int = 0
    end: int = 0


def entity_tag(facts: Facts) -> str:
    """The ETag that Caddy 2.11.7 makes of a file: modification time in ns and size, both in base 36."""
    return f'"{_base36(facts.modified)}-{_base36(facts.size)}"'


def answer(request: Mapping[bytes, bytes], facts: Facts) -> Answer:
    """What to send for an object, given the request's headers (lower-case names)."""
    headers = {name: value.decode("latin-1") for name, value in request.items()}
    etag = entity_tag(facts)
    common = [
        (b"etag", etag.encode()),
        (b"last-modified", formatdate(facts.modified // 10**9, usegmt=True).encode()),
        (b"accept-ranges", b"bytes"),
    ]
    if _unchanged(headers, etag, facts):
        return Answer(304, common[:2])
    wanted = headers.get(b"range")
    if wanted is None or facts.size == 0 or not _if_range(headers, etag, facts):
        return Answer(200, [*common, _length(facts.size)], 0, facts.size)
    span = _span(wanted, facts.size)
    if span is None:  # several ranges: the whole is a valid answer
        return Answer(200, [*common, _length(facts.size)], 0, facts.size)
    start, end = span
    if start >= end:
        return Answer(416, [(b"content-range", b"bytes */%d" % facts.size), _length(0)])
    content = (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, facts.size))
    return Answer(206, [*common, content, _length(end - start)], start, end)


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """[start, end) of one range; empty when none of it is there or it makes no sense; None for several."""
    if "," in wanted:
        return None
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or not (found[1] or found[2]):
        return 0, 0
    if not found[1]:
        return max(0, size - int(found[2])), size
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    return (start, min(end, size)) if start < min(end, size) else (0, 0)


def _unchanged(headers: Mapping[bytes, str], etag: str, facts: Facts) -> bool:
    known = headers.get(b"if-none-match")
    if known is not None:
        return known.strip() == "*" or etag in [each.strip().removeprefix("W/") for each in known.split(",")]
    since = _seconds(headers.get(b"if-modified-since"))
    return since is not None and facts.modified // 10**9 <= since


def _if_range(headers: Mapping[bytes, str], etag: str, facts: Facts) -> bool:
    condition = headers.get(b"if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == etag
    return _seconds(condition) == facts.modified // 10**9


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return round(parsedate_to_datetime(date).timestamp())
    except ValueError:
        return None


def _length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, last = divmod(number, 36)
        digits = _DIGITS[last] + digits
        if number == 0:
            return digits
