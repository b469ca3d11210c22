"""Encode a chunk, make the poster: run the command, then read back what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from app.core.errors import Unavailable
from app.media import commands, encoders, fmp4
from app.media.encoders import Encoder
from app.media.grid import Chunk
from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.results import ChunkResult, RenditionFacts, Segment, numbered, read_plain
from app.media.tools import Tools
from app.media.untrusted import Cancelled, Limits, MediaFailed, TimedOut, run_untrusted

CHUNK_BASE_SECONDS = 300.0
CHUNK_SECONDS_PER_SECOND = 60.0
POSTER_SECONDS = 300.0
POSTER = "poster.jpg"

Progress = Callable[[int], None] | None
Cancel = Callable[[], bool] | None


class EncoderLost(Unavailable):
    """The hardware encoder worked when the worker started and does not now; another one must build this."""


def encode_chunk(
    tools: Tools,
    encoder: Encoder,
    url: str,
    plan: Plan,
    chunk: Chunk,
    folder: Path,
    *,
    on_progress: Progress = None,
    cancelled: Cancel = None,
) -> ChunkResult:
    """Encode every rendition of one chunk in one decode, into an empty private `folder`.

    Files: `v360/init.mp4`, `v360/00000.m4s` … (`ChunkResult.paths`). `on_progress` gets the frames done in the
    chunk, on another thread. Where the source ends before the plan does, the result has fewer frames,
    maybe none. Raises MediaFailed, TimedOut, Cancelled, EncoderLost.
    """
    for rendition in plan.renditions:
        (folder / rendition.name).mkdir()
    command = commands.chunk_command(tools, encoder, url, plan, chunk)
    limit = CHUNK_BASE_SECONDS + CHUNK_SECONDS_PER_SECOND * float(chunk.frames / plan.exact_rate)
    limits = Limits(address_space=None) if encoder.name == "h264_nvenc" else Limits()
    try:
        done = run_untrusted(
            command,
            folder=folder,
            time_limit=limit,
            on_line=frames_done(on_progress, chunk.frames),
            cancelled=cancelled,
            limits=limits,
        )
    except (TimedOut, Cancelled):
        raise
    except MediaFailed as error:
        if encoder.name == "h264_nvenc" and encoders.test(tools, encoder) is not None:
            raise EncoderLost(
                "encoder_lost", "The GPU stopped encoding; the preview is built on the processor."
            ) from error
        raise
    measured = tuple(_measured(folder, rendition, chunk, plan) for rendition in plan.renditions)
    frames = {sum(segment.frames for segment in facts.segments) for facts in measured if facts}
    if len(frames) > 1 or (frames and None in measured):
        raise MediaFailed("media_failed", "The renditions of this chunk differ in length.")
    kept = tuple(facts for facts in measured if facts)
    return ChunkResult(chunk.index, frames.pop() if frames else 0, kept, done.complaints)


def make_poster(tools: Tools, url: str, plan: Plan, folder: Path, *, cancelled: Cancel = None) -> Path:
    """Write `poster.jpg`, at most 1280 pixels a side, into `folder`. Raises as encode_chunk."""
    for frame in sorted({plan.frame_count // 10, 0}, reverse=True):  # a tenth in, else whatever there is
        command = commands.poster_command(tools, url, plan, POSTER, frame=frame)
        run_untrusted(command, folder=folder, time_limit=POSTER_SECONDS, cancelled=cancelled)
        if read_plain(folder / POSTER):
            return folder / POSTER
    raise MediaFailed("no_picture", "Nothing of the picture could be decoded.")


def frames_done(on_progress: Progress, most: int) -> Callable[[str], None]:
    """Turns ffmpeg's -progress lines into calls with the frames done."""

    def line(text: str) -> None:
        name, _, value = text.partition("=")
        if on_progress is not None and name == "frame" and value.strip().isdigit():
            on_progress(min(most, int(value)))

    return line


def _measured(folder: Path, rendition: Rendition, chunk: Chunk, plan: Plan) -> RenditionFacts | None:
    """The facts of one rendition, None where it has no frame. Every planned boundary must have been met."""
    place = folder / rendition.name
    (place / "chunk.m3u8").unlink(missing_ok=True)
    init = read_plain(place / "init.mp4")
    files = numbered(place, chunk.first_segment)
    if init is None or not files:
        return None
    found = [_segment(path, chunk.first_segment + number, init) for number, path in enumerate(files)]
    segments = tuple(segment for segment in found if segment is not None)
    if not segments:
        return None
    for segment in segments[:-1]:
        if segment.frames != plan.grid.segment_frames:
            raise MediaFailed("media_failed", "A segment of this chunk is not on the frame grid.")
    if len(segments) > chunk.segments or segments[-1].frames > plan.grid.segment_frames:
        raise MediaFailed("media_failed", "This chunk came out longer than planned.")
    return RenditionFacts(rendition.name, fmp4.codec(init), hashlib.sha256(init).hexdigest(), segments)


def _segment(path: Path, index: int, init: bytes) -> Segment | None:
    """The facts of one file; None for the empty one that the muxer leaves where the source has ended."""
    data = read_plain(path) or b""
    parts = fmp4.fragments(data, init)
    if not parts:
        return None
    if not parts[0].starts_with_key:
        raise MediaFailed("media_failed", "A segment of this chunk does not begin with a key frame.")
    first = parts[0]
    frames = sum(len(part.sizes) for part in parts)
    return Segment(index, frames, len(data), first.offset, first.data + first.sizes[0] - first.offset)
