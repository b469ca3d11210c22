"""Read ffprobe's description of a stream into our own terms."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from app.core.timecode import format_rate
from app.media import rates
from app.media.facts import Audio, FieldOrder, Video

_FIELD_ORDERS: dict[str, FieldOrder] = {
    "progressive": "progressive",
    "tt": "tff",
    "tb": "tff",
    "bb": "bff",
    "bt": "bff",
}
_DEEP = {"9": 9, "10": 10, "12": 12, "14": 14, "16": 16, "f32": 32}
_ALPHA = ("yuva", "rgba", "bgra", "argb", "abgr", "ya8", "ya16", "gbrap", "pal8")
_NOTHING = ("", "unknown", "N/A", "unspecified", "und", "none")


def first_picture(streams: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first video stream that is not cover art and has a size."""
    for stream in streams:
        cover = stream.get("disposition", {}).get("attached_pic")
        if stream.get("codec_type") == "video" and not cover and stream.get("width"):
            return stream
    return None


def is_sound(stream: dict[str, Any]) -> bool:
    """An audio stream that can be decoded."""
    known = text(stream.get("codec_name")) is not None
    return stream.get("codec_type") == "audio" and known and int(stream.get("channels") or 0) > 0


def video_of(stream: dict[str, Any], origin: float) -> Video:
    """The picture; `origin` is the file's first timestamp in seconds."""
    average, declared = rates.parse(stream.get("avg_frame_rate")), rates.parse(stream.get("r_frame_rate"))
    pixels = str(stream.get("pix_fmt") or "unknown")
    order = _FIELD_ORDERS.get(str(stream.get("field_order")), "unknown")
    return Video(
        stream=int(stream["index"]),
        codec=str(stream["codec_name"]),
        profile=text(stream.get("profile")),
        width=int(stream["width"]),
        height=int(stream["height"]),
        pixel_format=pixels,
        bit_depth=_bit_depth(stream, pixels),
        pixel_shape=_pixel_shape(stream),
        rotation=_rotation(stream),
        field_order=order,
        color_range=text(stream.get("color_range")),
        color_matrix=text(stream.get("color_space")),
        color_transfer=text(stream.get("color_transfer")),
        color_primaries=text(stream.get("color_primaries")),
        alpha=pixels.startswith(_ALPHA),
        declared_rate=format_rate(declared) if declared else None,
        average_rate=format_rate(average) if average else None,
        variable_rate=order not in ("tff", "bff") and rates.is_variable(average, declared),
        start=max(0.0, _start(stream, origin)),
    )


def audio_of(stream: dict[str, Any], origin: float) -> Audio:
    """One audio stream; `origin` is the file's first timestamp in seconds."""
    return Audio(
        stream=int(stream["index"]),
        codec=str(stream["codec_name"]),
        channels=int(stream["channels"]),
        layout=text(stream.get("channel_layout")),
        sample_rate=int(stream.get("sample_rate") or 48000),
        language=text(stream.get("tags", {}).get("language")),
        start=_start(stream, origin),
    )


def start_timecode(data: dict[str, Any]) -> str | None:
    """The first start timecode of picture, timecode track or file; `;` before the frames when dropping."""
    streams = sorted(data.get("streams", []), key=lambda stream: stream.get("codec_type") != "video")
    for holder in [*streams, data.get("format", {})]:
        label = text(holder.get("tags", {}).get("timecode"))
        if label:
            return label.replace(".", ";").replace(",", ";")[:16]
    return None


def text(value: object) -> str | None:
    """What ffprobe says, None where it says that it does not know."""
    said = str(value).strip() if value is not None else ""
    return None if said in _NOTHING else said


def seconds(value: object) -> float | None:
    """A time of ffprobe's; None for N/A and for absurd ones."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) < 1e10 else None


def _start(stream: dict[str, Any], origin: float) -> float:
    start = seconds(stream.get("start_time"))
    return 0.0 if start is None else start - origin


def _pixel_shape(stream: dict[str, Any]) -> str:
    ratio = str(stream.get("sample_aspect_ratio") or "1:1").replace(":", "/")
    shape = rates.parse(ratio) or Fraction(1)
    return format_rate(shape if Fraction(1, 10) <= shape <= 10 else Fraction(1))


def _rotation(stream: dict[str, Any]) -> int:
    for side in stream.get("side_data_list", []):
        turned = seconds(side.get("rotation"))
        if turned is not None:
            return round(turned / 90) * 90 % 360
    return 0


def _bit_depth(stream: dict[str, Any], pixels: str) -> int:
    raw = str(stream.get("bits_per_raw_sample") or "")
    if raw.isdigit() and 0 < int(raw) <= 32:
        return int(raw)
    name = pixels.removesuffix("le").removesuffix("be")
    return next((depth for end, depth in _DEEP.items() if name.endswith(("p" + end, "gray" + end))), 8)
