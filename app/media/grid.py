"""The frame grid: where segments and chunks begin, in whole frames.

Frame n lies at n / rate seconds from the first picture. A segment is two closed GOPs of about two seconds, the
same in every rendition: round(4 × rate) frames. A chunk is a run of segments that one job encodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from app.media.facts import JsonRecord

GOP_SECONDS = 2
GOPS_PER_SEGMENT = 2
SEGMENTS_PER_CHUNK = 6


@dataclass(frozen=True, slots=True)
class Grid(JsonRecord):
    """Frames in a GOP, in a segment, and in the whole."""

    gop_frames: int
    segment_frames: int
    frame_count: int

    @property
    def segment_count(self) -> int:
        return -(-self.frame_count // self.segment_frames)

    def frames_of(self, segment: int) -> int:
        """Frames in segment number `segment` (from 0): fewer in the last one."""
        return max(0, min(self.segment_frames, self.frame_count - segment * self.segment_frames))


@dataclass(frozen=True, slots=True)
class Chunk(JsonRecord):
    """What one job encodes: `segments` segments from `first_segment`, `frames` frames from `first_frame`."""

    index: int
    first_segment: int
    segments: int
    first_frame: int
    frames: int


def make_grid(rate: Fraction, frame_count: int) -> Grid:
    """The grid of a source of `frame_count` frames at `rate`."""
    gop = max(1, round(GOP_SECONDS * rate))
    return Grid(gop, gop * GOPS_PER_SEGMENT, frame_count)


def cut(grid: Grid) -> Iterator[Chunk]:
    """The chunks: the first is one segment, so that it can be played at once; later ones six."""
    index = first = 0
    while first < grid.segment_count:
        segments = min(1 if index == 0 else SEGMENTS_PER_CHUNK, grid.segment_count - first)
        start = first * grid.segment_frames
        frames = min(grid.frame_count - start, segments * grid.segment_frames)
        yield Chunk(index, first, segments, start, frames)
        index, first = index + 1, first + segments
