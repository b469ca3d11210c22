"""The MP4 proxy: one rendition and the sound in one file, copied as they are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from app.media.commands import compiled
from app.media.encode import frames_done
from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.results import is_plain
from app.media.source import input_options
from app.media.tools import Tools
from app.media.untrusted import Limits, MediaFailed, run_untrusted

PROXY = "proxy.mp4"
TALLEST = 720
BASE_SECONDS = 300.0
LARGEST = 1 << 38
_TO_ZERO = "setts=pts=PTS-STARTPTS:dts=DTS-STARTPTS"


def proxy_rendition(renditions: tuple[Rendition, ...]) -> Rendition | None:
    """The largest of at most 720 lines (the short side counts), else the smallest; None without a picture."""
    fitting = [one for one in renditions if min(one.width, one.height) <= TALLEST]
    return next(iter([*fitting, *renditions[-1:]]), None)


def make_proxy(
    tools: Tools,
    video_url: str | None,
    audio_url: str | None,
    plan: Plan,
    folder: Path,
    *,
    on_progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Write `proxy.mp4` into `folder` from fragmented MP4s at the two addresses; its index comes first.

    Frame n of the proxy is frame n of the preview. `on_progress` gets the frames done. Raises MediaFailed,
    TimedOut, Cancelled.
    """
    limit = BASE_SECONDS + float(plan.duration) * Fraction(1, 2)
    run_untrusted(
        proxy_command(tools, video_url, audio_url),
        folder=folder,
        time_limit=float(limit),
        on_line=frames_done(on_progress, plan.frame_count),
        cancelled=cancelled,
        limits=Limits(file_size=LARGEST),
    )
    if not is_plain(folder / PROXY):
        raise MediaFailed("media_failed", "The MP4 proxy could not be written.")
    return folder / PROXY


def proxy_command(tools: Tools, video_url: str | None, audio_url: str | None) -> list[str]:
    """Remux without decoding.

    The sound keeps its times: its priming lies before zero, in the edit list. The picture's segments have
    negative composition offsets, which ffmpeg reads as a delay of all pictures; setts takes that away again.
    """
    options: dict[str, Any] = {**input_options(), "f": "mp4", "copyts": None}
    streams, extra = [], {}
    if video_url is not None:
        streams.append(ffmpeg.input(video_url, **options)["v:0"])
        extra = {"bsf:v": _TO_ZERO}
    if audio_url is not None:
        streams.append(ffmpeg.input(audio_url, **options)["a:0"])
    extra |= {"c": "copy", "movflags": "+faststart", "avoid_negative_ts": "disabled", "map_metadata": "-1"}
    output = ffmpeg.output(*streams, PROXY, f="mp4", **extra)
    return compiled(tools, [output])
