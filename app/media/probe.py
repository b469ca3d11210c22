"""What is this file? Streams, exact rate, colour, timecode, and how long it really is."""

from __future__ import annotations

import dataclasses
import http.client
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.core.errors import Rejected
from app.core.timecode import can_drop, format_rate
from app.media import rates, scan
from app.media.facts import Audio, Probe, Video
from app.media.scan import Scanner
from app.media.source import MAX_PIXELS
from app.media.streams import audio_of, first_picture, is_sound, seconds, start_timecode, video_of
from app.media.tools import Tools
from app.media.untrusted import MediaFailed

SMALLEST = 16
SOUND_RATE = Fraction(25)
OUTLASTS = 0.5
"""Sound that ends no later than so many seconds after the picture is cut there: codecs pad."""
_STILL_FORMATS = ("png_pipe", "jpeg_pipe", "webp_pipe", "tiff_pipe", "bmp_pipe")


class Unplayable(Rejected):
    """Authentic bytes of which no preview can be made. `because` is the reason alone, as a clause."""

    def __init__(self, code: str, because: str) -> None:
        super().__init__(code, f"Archived; no preview because {because}")
        self.because = because


def probe(tools: Tools, url: str, folder: Path, *, cancelled: Callable[[], bool] | None = None) -> Probe:
    """Find out what stands at `url` (of `source.serve`); `folder` is private and stays empty.

    Raises Unplayable: not_media, no_streams, no_decoder, too_small, too_large, no_packets;
    TimedOut and Cancelled as run_untrusted does.
    """
    scanner, data = _described(Scanner(tools, url, folder, None, cancelled))
    streams: list[dict[str, Any]] = [item for item in data.get("streams", []) if isinstance(item, dict)]
    origin = _origin(data)
    sounds = tuple(audio_of(stream, origin) for stream in streams if is_sound(stream))
    picture = first_picture(streams)
    if picture is not None:
        return _film(scanner, data, picture, video_of(_checked(picture), origin), sounds)
    if sounds:
        return _sound(scanner, data, streams, sounds)
    if any(stream.get("codec_type") in ("video", "audio") for stream in streams):
        raise Unplayable("no_decoder", "its picture or sound is of a kind or size that we cannot decode.")
    raise Unplayable("no_streams", "there is no picture and no sound in it.")


def _film(
    scanner: Scanner,
    data: dict[str, Any],
    stream: dict[str, Any],
    video: Video,
    sounds: tuple[Audio, ...],
) -> Probe:
    rate = rates.grid_rate(
        rates.parse(stream.get("avg_frame_rate")),
        rates.parse(stream.get("r_frame_rate")),
        interlaced=video.interlaced,
    )
    extent = scan.ONE_PICTURE if _container(data) in _STILL_FORMATS else _extent(scanner, data, stream)
    count = extent.frames(rate, variable=video.variable_rate)
    still = count == 1
    rate = Fraction(1) if still else rate
    timecode = start_timecode(data)
    return Probe(
        kind="still" if still else "video",
        container=_container(data),
        forced_format=scanner.forced,
        duration=0.0 if still else float(count / rate),
        rate=format_rate(rate),
        frame_count=count,
        trusted=extent.trusted,
        start_timecode=timecode,
        drop_frame=bool(timecode and ";" in timecode and can_drop(rate)),
        video=video,
        audio=() if still else sounds,
        subtitles=_subtitles(data),
        origin=_origin(data),
        sound_until=0.0 if still else _sound_until(scanner, data, sounds, extent),
    )


def _sound_until(scanner: Scanner, data: dict[str, Any], sounds: tuple[Audio, ...], picture: scan.Extent) -> float:
    """Only a claim that the sound outlasts the picture is looked into; that of a header is not believed."""
    if not sounds:
        return 0.0
    stream = next(item for item in data["streams"] if item["index"] == sounds[0].stream)
    start = seconds(stream.get("start_time")) or 0.0
    claimed = seconds(stream.get("duration"))
    ends = start + claimed if claimed else _origin(data) + (seconds(data.get("format", {}).get("duration")) or 0.0)
    if ends <= picture.end + OUTLASTS:
        return 0.0
    extent = scanner.measure(sounds[0].stream, start=start, duration=claimed or ends - start)
    return max(0.0, extent.end - picture.start) if extent and extent.end > picture.end + OUTLASTS else 0.0


def _sound(scanner: Scanner, data: dict[str, Any], streams: list[dict[str, Any]], sounds: tuple[Audio, ...]) -> Probe:
    extent = _extent(scanner, data, next(item for item in streams if item["index"] == sounds[0].stream))
    return Probe(
        kind="audio",
        container=_container(data),
        forced_format=scanner.forced,
        duration=extent.end - extent.start,
        rate=format_rate(SOUND_RATE),
        frame_count=extent.frames(SOUND_RATE),
        trusted=extent.trusted,
        start_timecode=None,
        drop_frame=False,
        video=None,
        audio=sounds,
        subtitles=_subtitles(data),
        origin=_origin(data),
    )


def _extent(scanner: Scanner, data: dict[str, Any], stream: dict[str, Any]) -> scan.Extent:
    claimed = seconds(stream.get("duration")) or seconds(data.get("format", {}).get("duration"))
    start = seconds(stream.get("start_time")) or 0.0
    extent = scanner.measure(int(stream["index"]), start=start, duration=claimed)
    if extent is None:
        raise Unplayable("no_packets", "nothing in it can be read; it may have been cut off.")
    return extent


def _checked(stream: dict[str, Any]) -> dict[str, Any]:
    """The picture's stream, if it can be shown at all."""
    width, height = int(stream["width"]), int(stream.get("height") or 0)
    if stream.get("codec_name") in (None, "unknown", "none"):
        raise Unplayable("no_decoder", "its picture is in a format that we cannot decode.")
    if width * height > MAX_PIXELS:
        raise Unplayable("too_large", f"its picture of {width} × {height} pixels is larger than we decode.")
    if min(width, height) < SMALLEST:
        raise Unplayable("too_small", f"its picture measures only {width} × {height} pixels.")
    return stream


def _described(scanner: Scanner) -> tuple[Scanner, dict[str, Any]]:
    """ffprobe's description, and the scanner that got it.

    Older releases take an MP3 with a large cover for a transport stream, and may then fail on it.
    """
    try:
        data = scanner.describe()
        if _container(data) not in ("mpegts", "mpeg") or not _has_id3(scanner.url):
            return scanner, data
    except MediaFailed as error:
        if error.code != "media_failed":
            raise
        if not _has_id3(scanner.url):
            raise Unplayable("not_media", "it is not a film, a sound or a picture that we can read.") from error
    scanner = dataclasses.replace(scanner, forced="mp3")
    try:
        return scanner, scanner.describe()
    except MediaFailed as error:
        if error.code != "media_failed":
            raise
        raise Unplayable("not_media", "it looks like an MP3 but cannot be read as one.") from error


def _has_id3(url: str) -> bool:
    """Whether it begins with an ID3v2 tag (id3v2.4.0-structure, 3.1)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
    try:
        connection.request("GET", parts.path, headers={"Range": "bytes=0-2", "Connection": "close"})
        return connection.getresponse().read(3) == b"ID3"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _origin(data: dict[str, Any]) -> float:
    return seconds(data.get("format", {}).get("start_time")) or 0.0


def _container(data: dict[str, Any]) -> str:
    return str(data.get("format", {}).get("format_name", ""))


def _subtitles(data: dict[str, Any]) -> int:
    return sum(stream.get("codec_type") == "subtitle" for stream in data.get("streams", []))
