"""What encoding yields besides files: the facts that playlists are written from, kept in a JSON column."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from app.media.facts import JsonRecord
from app.media.loudness import Loudness
from app.media.untrusted import MediaFailed


@dataclass(frozen=True, slots=True)
class Segment(JsonRecord):
    """One segment file. Its key frame (with the moof before it) is bytes iframe_start … + iframe_bytes."""

    index: int
    frames: int
    bytes: int
    iframe_start: int
    iframe_bytes: int

    @property
    def name(self) -> str:
        return f"{self.index:05d}.m4s"


@dataclass(frozen=True, slots=True)
class RenditionFacts(JsonRecord):
    """The segments of one rendition in order, the codec's name (RFC 6381), the init segment's digest."""

    name: str
    codecs: str
    init_sha256: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class ChunkResult(JsonRecord):
    """One encoded chunk. `frames` is what the source gave: fewer than planned where it ends early, even 0.

    `complaints` counts what the decoder had to say about it: more than a few mean damage.
    """

    index: int
    frames: int
    renditions: tuple[RenditionFacts, ...]
    complaints: int = 0

    def paths(self, folder: Path) -> list[Path]:
        """The files to keep, in `folder`: init segments and segments."""
        found: list[Path] = []
        for facts in self.renditions:
            found.append(folder / facts.name / "init.mp4")
            found += [folder / facts.name / segment.name for segment in facts.segments]
        return found


@dataclass(frozen=True, slots=True)
class AudioResult(JsonRecord):
    """The encoded sound: samples and bytes of each segment, and how loud it is."""

    codec: str
    channels: int
    sample_rate: int
    samples: tuple[int, ...]
    bytes: tuple[int, ...]
    loudness: Loudness | None = None

    @property
    def durations(self) -> list[Fraction]:
        """Seconds of each segment, exactly."""
        return [Fraction(count, self.sample_rate) for count in self.samples]

    def paths(self, folder: Path) -> list[Path]:
        """The files to keep, in `folder`."""
        return [
            folder / "a" / "init.mp4",
            *(folder / "a" / f"{index:05d}.m4s" for index in range(len(self.samples))),
        ]


def merge(results: Iterable[ChunkResult]) -> dict[str, RenditionFacts]:
    """The whole renditions by name, from any number of chunks in any order.

    Raises MediaFailed (init_differs) when two chunks of a rendition need different init segments: they were
    made by different programs, and the build must be made again.
    """
    parts: dict[str, list[RenditionFacts]] = {}
    for result in sorted(results, key=lambda result: result.index):
        for facts in result.renditions:
            parts.setdefault(facts.name, []).append(facts)
    return {name: _joined(name, found) for name, found in parts.items()}


def _joined(name: str, parts: list[RenditionFacts]) -> RenditionFacts:
    if len({(part.init_sha256, part.codecs) for part in parts}) != 1:
        raise MediaFailed(
            "init_differs", "The parts of this preview were made by different encoders; it is built again."
        )
    segments = {segment.index: segment for part in parts for segment in part.segments}
    return RenditionFacts(
        name, parts[0].codecs, parts[0].init_sha256, tuple(segments[index] for index in sorted(segments))
    )


def numbered(place: Path, first: int) -> list[Path]:
    """The segments in a folder from number `first` on, as long as they follow each other."""
    found: list[Path] = []
    while is_plain(path := place / f"{first + len(found):05d}.m4s"):
        found.append(path)
    return found


def is_plain(path: Path) -> bool:
    """Whether the child wrote a file there, and not a link."""
    return path.is_file() and not path.is_symlink()


def read_plain(path: Path) -> bytes | None:
    """The bytes of a file that the child wrote; never through a link, which it might have made instead."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
