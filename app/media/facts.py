"""What is known of a source, as plain values that fit into a JSON column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import TypeAdapter

from app.core.timecode import Timecode, parse_rate, start_of

Kind = Literal["video", "audio", "still"]
FieldOrder = Literal["progressive", "tff", "bff", "unknown"]


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


class JsonRecord:
    """A frozen dataclass that goes into JSON and comes back checked."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        plain: dict[str, Any] = _adapter(type(self)).dump_python(self, mode="json")
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record again; raises pydantic's ValidationError where `data` is not one."""
        record: Self = _adapter(cls).validate_python(data)
        return record


@dataclass(frozen=True, slots=True)
class Video(JsonRecord):
    """The picture. Sizes in stored pixels; `display` applies pixel shape and rotation."""

    stream: int
    codec: str
    profile: str | None
    width: int
    height: int
    pixel_format: str
    bit_depth: int
    pixel_shape: str
    """Width by height of a pixel, as in `"64/45"`; `"1/1"` when square."""
    rotation: int
    """Degrees, 0, 90, 180 or 270; ffmpeg turns the picture upright by itself."""
    field_order: FieldOrder
    color_range: str | None
    color_matrix: str | None
    color_transfer: str | None
    color_primaries: str | None
    alpha: bool
    declared_rate: str | None
    average_rate: str | None
    variable_rate: bool
    start: float
    """Seconds from the file's first timestamp to the first picture: where our frame 0 lies."""

    @property
    def interlaced(self) -> bool:
        return self.field_order in ("tff", "bff")

    @property
    def display(self) -> tuple[int, int]:
        """Width and height as seen, in square pixels, upright."""
        width = max(1, round(self.width * Fraction(self.pixel_shape)))
        return (self.height, width) if self.rotation in (90, 270) else (width, self.height)

    @property
    def hdr(self) -> bool:
        """PQ (SMPTE ST 2084) or HLG (ARIB STD-B67)."""
        return self.color_transfer in ("smpte2084", "arib-std-b67")


@dataclass(frozen=True, slots=True)
class Audio(JsonRecord):
    """One audio stream."""

    stream: int
    codec: str
    channels: int
    layout: str | None
    sample_rate: int
    language: str | None
    start: float


@dataclass(frozen=True, slots=True)
class Probe(JsonRecord):
    """What a source is. Durations are what its packets demonstrate, not what its header claims."""

    kind: Kind
    container: str
    forced_format: str | None
    """The demuxer to name with -f where ffmpeg guesses wrongly, else None."""
    duration: float
    """Seconds of picture (of sound, where there is no picture); 0 for a still."""
    rate: str
    """Exact frames a second of the preview grid: `"30000/1001"`. `"1/1"` for a still."""
    frame_count: int
    trusted: bool
    """The header's duration agrees with the last packets; if not, every packet was counted."""
    start_timecode: str | None
    drop_frame: bool
    video: Video | None
    audio: tuple[Audio, ...]
    subtitles: int
    origin: float = 0.0
    """The file's first timestamp in seconds; `start` of a stream counts from it."""
    sound_until: float = 0.0
    """Seconds from our frame 0 to the end of the main sound, where that goes on after the picture; else 0."""

    @property
    def zero(self) -> float:
        """The timestamp, in the file, of our frame 0: the first picture, or the beginning of the sound."""
        return self.origin + (self.video.start if self.video else 0.0)

    @property
    def timecode(self) -> Timecode:
        """How the source labels its frames."""
        return start_of(self.start_timecode, self.exact_rate)

    @property
    def exact_rate(self) -> Fraction:
        return parse_rate(self.rate)
