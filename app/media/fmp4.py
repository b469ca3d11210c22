"""Read what we need of fragmented MP4 (ISO/IEC 14496-12): frames, times, sizes and the codec's name.

Only for files that our own encoder wrote; anything unexpected raises ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof with its mdat: where it begins in the file, and its samples."""

    offset: int
    decode_time: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    first_offset: int
    """Composition offset of the first sample (14496-12 8.8.8)."""
    data: int
    """Where the first sample's bytes begin."""
    starts_with_key: bool


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int, int]]:
    """(type, offset, payload offset, end) of each box between start and end, not descending."""
    position, limit = start, len(data) if end is None else end
    while position + 8 <= limit:
        size, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
            header = 16
        if size == 0:
            size = limit - position
        if size < header or position + size > limit:
            raise ValueError("a box reaches beyond its parent")
        yield kind, position, position + header, position + size
        position += size


def find(data: bytes, *path: bytes) -> tuple[int, int]:
    """(payload offset, end) of the first box at `path`, such as moov, trak, mdia, mdhd."""
    start, end = 0, len(data)
    for name in path:
        for kind, _, payload, stop in boxes(data, start, end):
            if kind == name:
                start, end = payload, stop
                break
        else:
            raise ValueError(f"there is no {b'/'.join(path).decode()}")
    return start, end


def timescale(init: bytes) -> int:
    """Ticks a second of the first track (mdhd, 8.4.2)."""
    start, _ = find(init, b"moov", b"trak", b"mdia", b"mdhd")
    version = init[start]
    (value,) = struct.unpack_from(">I", init, start + (20 if version == 1 else 12))
    return int(value)


def codec(init: bytes) -> str:
    """The CODECS name of the first track: avc1.PPCCLL from avcC (RFC 6381 3.3, ISO/IEC 14496-15 5.3.3)."""
    start, end = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    for kind, _, payload, stop in boxes(init, start + 8, end):
        if kind in (b"avc1", b"avc3"):
            for inner, _, configuration, _ in boxes(init, payload + 78, stop):
                if inner == b"avcC":
                    return f"{kind.decode()}.{init[configuration + 1 : configuration + 4].hex().upper()}"
    raise ValueError("there is no H.264 in the init segment")


def fragments(segment: bytes, init: bytes) -> list[Fragment]:
    """The fragments of a segment, in order."""
    defaults = _track_defaults(init)
    return [
        _fragment(segment, offset, payload, end, defaults)
        for kind, offset, payload, end in boxes(segment)
        if kind == b"moof"
    ]


def duration(parts: list[Fragment], ticks: int) -> Fraction:
    """Seconds of the fragments together, exactly."""
    return Fraction(sum(sum(part.durations) for part in parts), ticks)


def _track_defaults(init: bytes) -> tuple[int, int, int]:
    """default_sample_duration, size and flags of trex (8.8.3)."""
    start, _ = find(init, b"moov", b"mvex", b"trex")
    values = struct.unpack_from(">IIIIII", init, start)
    return values[3], values[4], values[5]


def _fragment(data: bytes, offset: int, payload: int, end: int, defaults: tuple[int, int, int]) -> Fragment:
    decode_time, base, rows = 0, offset, []
    first_data = first_flags = None
    for kind, _, traf, traf_end in boxes(data, payload, end):
        if kind != b"traf":
            continue
        for inner, _, body, _ in boxes(data, traf, traf_end):
            if inner == b"tfhd":
                base, defaults = _header(data, body, offset, defaults)
            elif inner == b"tfdt":
                form = ">Q" if data[body] == 1 else ">I"
                (decode_time,) = struct.unpack_from(form, data, body + 4)
            elif inner == b"trun":
                run, data_offset, flags = _run(data, body, defaults)
                rows += run
                if first_data is None:
                    first_data, first_flags = base + data_offset, flags
    if not rows or first_data is None or first_flags is None:
        raise ValueError("a fragment without samples")
    key = not first_flags & 0x10000  # sample_is_non_sync_sample (8.8.3.1)
    durations, sizes = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    return Fragment(offset, decode_time, durations, sizes, rows[0][2], first_data, key)


def _header(data: bytes, body: int, moof: int, defaults: tuple[int, int, int]) -> tuple[int, tuple[int, int, int]]:
    """Base offset and the defaults that tfhd (8.8.7) sets anew."""
    (flags,) = struct.unpack_from(">I", data, body)
    position, values, base = body + 8, list(defaults), moof
    if flags & 0x1:
        (base,) = struct.unpack_from(">Q", data, position)
        position += 8
    if flags & 0x2:
        position += 4
    for bit, slot in ((0x8, 0), (0x10, 1), (0x20, 2)):
        if flags & bit:
            (values[slot],) = struct.unpack_from(">I", data, position)
            position += 4
    return base, (values[0], values[1], values[2])


def _run(data: bytes, body: int, defaults: tuple[int, int, int]) -> tuple[list[tuple[int, int, int]], int, int]:
    """Of trun (8.8.8): (duration, size, composition offset) of each sample, data offset, first flags."""
    version_flags, count = struct.unpack_from(">II", data, body)
    flags, signed = version_flags & 0xFFFFFF, version_flags >> 24
    position, data_offset = body + 8, 0
    first_flags = defaults[2]
    if flags & 0x1:
        (data_offset,) = struct.unpack_from(">i", data, position)
        position += 4
    if flags & 0x4:
        (first_flags,) = struct.unpack_from(">I", data, position)
        position += 4
    rows = []
    for index in range(count):
        row = [defaults[0], defaults[1], defaults[2], 0]
        for bit, slot in ((0x100, 0), (0x200, 1), (0x400, 2), (0x800, 3)):
            if flags & bit:
                (row[slot],) = struct.unpack_from(">i" if slot == 3 and signed else ">I", data, position)
                position += 4
        if index == 0 and flags & 0x400:
            first_flags = row[2]
        rows.append((row[0], row[1], row[3]))
    return rows, data_offset, first_flags
