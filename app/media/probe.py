"""What is this file? Streams, exact rate, colour, timecode, and how long it really is."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from app.core.errors import Rejected
from app.core.timecode import can_drop, format_rate
from app.media import rates, scan
from app.media.facts import Audio, Probe, Video
from app.media.source import MAX_PIXELS, input_arguments
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted

PROBE_SECONDS = 60.0
SMALLEST = 16
SOUND_RATE = Fraction(25)
_STILL_FORMATS = ("png_pipe", "jpeg_pipe", "webp_pipe", "tiff_pipe", "bmp_pipe", "image2")
_FIELD_ORDERS = {"progressive": "progressive", "tt": "tff", "tb": "tff", "bb": "bff", "bt": "bff"}
_DEEP = {"9": 9, "10": 10, "12": 12, "14": 14, "16": 16, "f32": 32}

Cancel = Callable[[], bool] | None


class Unplayable(Rejected):
    """Authentic bytes of which no preview can be made. `because` is the reason alone, as a clause."""

    def __init__(self, code: str, because: str) -> None:
        super().__init__(code, f"Archived; no preview because {because}")
        self.because = because


def probe(tools: Tools, url: str, folder: Path, *, cancelled: Cancel = None) -> Probe:
    """Find out what stands at `url` (of `source.serve`); `folder` is private and may stay empty.

    Raises Unplayable: not_media, no_streams, no_decoder, too_small, too_large, no_packets;
    TimedOut, Cancelled as run_untrusted does.
    """
    data, forced = _described(tools, url, folder, cancelled)
    streams = [stream for stream in data.get("streams", []) if isinstance(stream, dict)]
    container = str(data.get("format", {}).get("format_name", ""))
    origin = _seconds(data.get("format", {}).get("start_time")) or 0.0
    picture = _first_picture(streams)
    sounds = tuple(_audio(stream, origin) for stream in streams if _is_sound(stream))
    if picture is None and not sounds:
        raise _no_streams(streams)
    timing = _Timing(tools, url, folder, forced, cancelled)
    if picture is not None:
        return _film(data, picture, sounds, container, forced, timing, origin)
    return _sound(data, streams, sounds, container, forced, timing)


class _Timing:
    """How the packet scan is asked, for one source."""

    def __init__(self, tools: Tools, url: str, folder: Path, forced: str | None, cancelled: Cancel) -> None:
        self._ask = (tools, url, folder, forced, cancelled)

    def measure(self, stream: int, start: float, duration: float | None) -> scan.Extent:
        return scan.measure(*self._ask, stream=stream, start=start, duration=duration)


def _film(
    data: dict[str, Any],
    stream: dict[str, Any],
    sounds: tuple[Audio, ...],
    container: str,
    forced: str | None,
    timing: _Timing,
    origin: float,
) -> Probe:
    video = _video(stream, origin)
    rate = rates.grid_rate(
        rates.parse(stream.get("avg_frame_rate")),
        rates.parse(stream.get("r_frame_rate")),
        interlaced=video.interlaced,
    )
    timecode = _timecode(data)
    still = container in _STILL_FORMATS
    extent = (
        scan.ONE_PICTURE
        if still
        else timing.measure(video.stream, origin + video.start, _duration(data, stream))
    )
    count = 1 if still else extent.frames(rate, variable=video.variable_rate)
    if count == 1:
        rate = Fraction(1)
    return Probe(
        kind="still" if count == 1 else "video",
        container=container,
        forced_format=forced,
        duration=0.0 if count == 1 else float(count / rate),
        rate=format_rate(rate),
        frame_count=count,
        trusted=extent.trusted,
        start_timecode=timecode,
        drop_frame=bool(timecode and ";" in timecode and can_drop(rate)),
        video=video,
        audio=() if count == 1 else sounds,
        subtitles=_subtitles(data),
    )


def _sound(
    data: dict[str, Any],
    streams: list[dict[str, Any]],
    sounds: tuple[Audio, ...],
    container: str,
    forced: str | None,
    timing: _Timing,
) -> Probe:
    first = sounds[0]
    stream = next(stream for stream in streams if stream.get("index") == first.stream)
    start = _seconds(stream.get("start_time")) or 0.0
    extent = timing.measure(first.stream, start, _duration(data, stream))
    return Probe(
        kind="audio",
        container=container,
        forced_format=forced,
        duration=extent.end - extent.start,
        rate=format_rate(SOUND_RATE),
        frame_count=extent.frames(SOUND_RATE),
        trusted=extent.trusted,
        start_timecode=None,
        drop_frame=False,
        video=None,
        audio=sounds,
        subtitles=_subtitles(data),
    )


def _describe(tools: Tools, url: str, folder: Path, forced: str | None, cancelled: Cancel) -> dict[str, Any]:
    command = [
        tools.ffprobe,
        "-v",
        "error",
        "-of",
        "json",
        "-show_format",
        "-show_streams",
        *input_arguments(),
    ]
    command += ["-f", forced] if forced else []
    try:
        done = run_untrusted([*command, url], folder=folder, time_limit=PROBE_SECONDS, cancelled=cancelled)
        data = json.loads(done.stdout)
    except MediaFailed as error:
        if error.code != "media_failed":
            raise
        raise Unplayable("not_media", "it is not a film, a sound or a picture that we can read.") from error
    except ValueError as error:
        raise Unplayable("not_media", "its description cannot be read.") from error
    return data if isinstance(data, dict) else {}


def _described(tools: Tools, url: str, folder: Path, cancelled: Cancel) -> tuple[dict[str, Any], str | None]:
    """ffprobe's description, and the demuxer that had to be named.

    Older releases take an MP3 with a large cover for a transport stream, and may then fail on it.
    """
    try:
        data = _describe(tools, url, folder, None, cancelled)
    except Unplayable:
        if not _has_id3(url):
            raise
    else:
        if data.get("format", {}).get("format_name") not in ("mpegts", "mpeg") or not _has_id3(url):
            return data, None
    return _describe(tools, url, folder, "mp3", cancelled), "mp3"


def _has_id3(url: str) -> bool:
    """Whether it begins with an ID3v2 tag (id3v2.4.0-structure, 3.1)."""
    request = urllib.request.Request(url, headers={"Range": "bytes=0-2"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.read(3) == b"ID3")
    except OSError:  # an empty file has no range to give
        return False


def _first_picture(streams: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first video stream that is not cover art and has a size; its decoder must be there."""
    for stream in streams:
        cover = stream.get("disposition", {}).get("attached_pic")
        if stream.get("codec_type") != "video" or cover or not stream.get("width"):
            continue
        width, height = int(stream["width"]), int(stream.get("height") or 0)
        if stream.get("codec_name") in (None, "unknown", "none"):
            raise Unplayable("no_decoder", "its picture is in a format that this server cannot decode.")
        if width * height > MAX_PIXELS:
            raise Unplayable(
                "too_large", f"its picture of {width} × {height} pixels is larger than we decode."
            )
        if min(width, height) < SMALLEST:
            raise Unplayable("too_small", f"its picture measures only {width} × {height} pixels.")
        return stream
    return None


def _is_sound(stream: dict[str, Any]) -> bool:
    known = stream.get("codec_name") not in (None, "unknown", "none")
    return stream.get("codec_type") == "audio" and known and int(stream.get("channels") or 0) > 0


def _no_streams(streams: list[dict[str, Any]]) -> Unplayable:
    if any(stream.get("codec_type") in ("video", "audio") for stream in streams):
        return Unplayable(
            "no_decoder", "its picture or sound is of a format or size that this server cannot decode."
        )
    return Unplayable("no_streams", "there is no picture and no sound in it.")


def _video(stream: dict[str, Any], origin: float) -> Video:
    average, declared = rates.parse(stream.get("avg_frame_rate")), rates.parse(stream.get("r_frame_rate"))
    pixels = str(stream.get("pix_fmt") or "unknown")
    shape = rates.parse(str(stream.get("sample_aspect_ratio") or "1:1").replace(":", "/")) or Fraction(1)
    order = _FIELD_ORDERS.get(str(stream.get("field_order")), "unknown")
    return Video(
        stream=int(stream["index"]),
        codec=str(stream["codec_name"]),
        profile=_text(stream.get("profile")),
        width=int(stream["width"]),
        height=int(stream["height"]),
        pixel_format=pixels,
        bit_depth=_bit_depth(stream, pixels),
        pixel_shape=format_rate(shape if Fraction(1, 10) <= shape <= 10 else Fraction(1)),
        rotation=_rotation(stream),
        field_order=order,  # type: ignore[arg-type]
        color_range=_text(stream.get("color_range")),
        color_matrix=_text(stream.get("color_space")),
        color_transfer=_text(stream.get("color_transfer")),
        color_primaries=_text(stream.get("color_primaries")),
        alpha=_has_alpha(pixels, stream),
        declared_rate=format_rate(declared) if declared else "0/1",
        average_rate=format_rate(average) if average else "0/1",
        variable_rate=order not in ("tff", "bff") and rates.is_variable(average, declared),
        start=max(0.0, (_seconds(stream.get("start_time")) or origin) - origin),
    )


def _audio(stream: dict[str, Any], origin: float) -> Audio:
    return Audio(
        stream=int(stream["index"]),
        codec=str(stream["codec_name"]),
        channels=int(stream["channels"]),
        layout=_text(stream.get("channel_layout")),
        sample_rate=int(stream.get("sample_rate") or 48000),
        language=_text(stream.get("tags", {}).get("language")),
        start=(_seconds(stream.get("start_time")) or origin) - origin,
    )


def _timecode(data: dict[str, Any]) -> str | None:
    """The first start timecode of the picture, the timecode track or the file (tmcd, MXF, tags)."""
    streams = sorted(data.get("streams", []), key=lambda stream: stream.get("codec_type") != "video")
    for holder in [*streams, data.get("format", {})]:
        text = _text(holder.get("tags", {}).get("timecode"))
        if text:
            return text.replace(".", ";").replace(",", ";")[:16]
    return None


def _duration(data: dict[str, Any], stream: dict[str, Any]) -> float | None:
    return _seconds(stream.get("duration")) or _seconds(data.get("format", {}).get("duration"))


def _subtitles(data: dict[str, Any]) -> int:
    return sum(stream.get("codec_type") == "subtitle" for stream in data.get("streams", []))


def _rotation(stream: dict[str, Any]) -> int:
    for side in stream.get("side_data_list", []):
        if "rotation" in side:
            return round(float(side["rotation"]) / 90) * 90 % 360
    return 0


def _bit_depth(stream: dict[str, Any], pixels: str) -> int:
    raw = str(stream.get("bits_per_raw_sample") or "")
    if raw.isdigit() and 0 < int(raw) <= 32:
        return int(raw)
    name = pixels.removesuffix("le").removesuffix("be")
    return next(
        (depth for ending, depth in _DEEP.items() if name.endswith(("p" + ending, "gray" + ending))), 8
    )


def _has_alpha(pixels: str, stream: dict[str, Any]) -> bool:
    """Formats with an alpha plane; VP8 and VP9 carry theirs beside the picture, where we do not look."""
    return pixels.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "gbrap", "pal8"))


def _text(value: object) -> str | None:
    text = str(value).strip() if value is not None else ""
    return text if text and text not in ("unknown", "N/A", "unspecified", "und") else None


def _seconds(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) < 1e10 else None
