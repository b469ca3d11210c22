"""How each kind of piece is made: run the media work on the master, or on what is stored of the build."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.media import encode, metadata, proxy, sound, storyboard
from app.media.encode import EncoderLost
from app.media.encoders import X264
from app.media.plan import Plan
from app.media.playlists import audible, playable_frames, playable_segments
from app.media.results import AudioResult, ChunkResult, RenditionFacts, merge
from app.models import PreviewChunk
from app.workflows.context import Context
from app.workflows.preview_source import encoder, master_url, stored_url, tools
from app.workflows.run_job import RunningJob


@dataclass(frozen=True)
class Piece:
    """What is to be made. `others` are the pieces of the same build, for those that are made of them."""

    media: str
    build: str
    kind: str
    index: int
    encoder: str
    plan: Plan
    others: list[PreviewChunk] = field(default_factory=list)


@dataclass(frozen=True)
class Made:
    """Files below the folder by the kind of key under which they go, and the facts for the row."""

    files: list[tuple[str, list[Path]]]
    facts: dict[str, Any]


Report = Callable[[int], None]
"""Gets the frames that are done, of the frames that the piece covers."""


def make_video(context: Context, job: RunningJob, piece: Piece, folder: Path, report: Report) -> Made:
    """A chunk: some segments of every rendition. Raises EncoderLost where this worker has not the build's encoder."""
    chosen = X264 if piece.encoder == X264.name else encoder(context.settings.gpu_device)
    if piece.encoder != chosen.name:
        raise EncoderLost("encoder_missing", "This build was begun with an encoder that this worker has not.")
    chunk = piece.plan.chunks[piece.index]
    with master_url(context, job.target_id) as url:
        result = encode.encode_chunk(
            tools(), chosen, url, piece.plan, chunk, folder, on_progress=report, cancelled=job.stopped
        )
    return Made([("hls", result.paths(folder))], result.to_json())


def make_audio(context: Context, job: RunningJob, piece: Piece, folder: Path, report: Report) -> Made:
    """The sound, its waveform and its loudness."""
    with master_url(context, job.target_id) as url:
        result = sound.encode_audio(tools(), url, piece.plan, folder, on_progress=report, cancelled=job.stopped)
    return Made([("hls", result.paths(folder)), ("waveforms", [folder / sound.WAVEFORM])], result.to_json())


def make_poster(context: Context, job: RunningJob, piece: Piece, folder: Path, _report: Report) -> Made:
    """One telling picture."""
    with master_url(context, job.target_id) as url:
        path = encode.make_poster(tools(), url, piece.plan, folder, cancelled=job.stopped)
    return Made([("stills", [path])], {})


def make_storyboard(context: Context, job: RunningJob, piece: Piece, folder: Path, _report: Report) -> Made:
    """Sheets of small pictures, of the key frames of the smallest rendition."""
    measured = _measured(piece)
    if not measured:
        return Made([], {"left_out": "no_picture"})
    rendition = next(one for one in reversed(piece.plan.renditions) if one.name in measured)
    with _rendition_url(context, piece, measured, rendition.name) as url:
        board = storyboard.make_storyboard(
            tools(),
            url,
            piece.plan,
            rendition,
            playable_frames(piece.plan, measured),
            folder,
            cancelled=job.stopped,
        )
    return Made([("thumbs", board.paths(folder))], board.to_json())


def make_mp4(context: Context, job: RunningJob, piece: Piece, folder: Path, report: Report) -> Made:
    """One file to take along: a rendition and the sound, remuxed from what is stored."""
    measured, audio = _measured(piece), _audio(piece)
    shown = tuple(one for one in piece.plan.renditions if one.name in measured)
    chosen = proxy.proxy_rendition(shown)
    heard = audible(piece.plan, audio, measured, playable_segments(piece.plan, measured))
    with ExitStack() as stack:
        video_url = stack.enter_context(_rendition_url(context, piece, measured, chosen.name)) if chosen else None
        audio_url = None
        if heard:
            names = [(f"{number:05d}.m4s", size) for number, size in enumerate(heard.bytes)]
            audio_url = stack.enter_context(stored_url(context, piece.media, piece.build, "a", names))
        path = proxy.make_proxy(
            tools(), video_url, audio_url, piece.plan, folder, on_progress=report, cancelled=job.stopped
        )
    return Made([("mp4", [path])], {"rendition": chosen.name if chosen else None, "bytes": path.stat().st_size})


def analyse(context: Context, job: RunningJob, piece: Piece, folder: Path, _report: Report) -> Made:
    """What ffprobe, MediaInfo and EBUCore say of the master: whole in files, in part in the row."""
    with master_url(context, job.target_id) as url:
        documents = metadata.describe(tools(), url, piece.plan, folder, cancelled=job.stopped)
    paths = []
    for name, document in documents.items():
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(json.dumps(document, indent=1, ensure_ascii=False))
    chunks = _chunks(piece)
    found = metadata.findings(
        piece.plan,
        documents,
        frames=playable_frames(piece.plan, merge(chunks)),
        complaints=sum(chunk.complaints for chunk in chunks),
    )
    facts = {**metadata.compact(documents), "findings": found, "documents": [path.name for path in paths]}
    return Made([("files", paths)], facts)


MAKERS: dict[str, Callable[[Context, RunningJob, Piece, Path, Report], Made]] = {
    "video": make_video,
    "audio": make_audio,
    "poster": make_poster,
    "storyboard": make_storyboard,
    "mp4": make_mp4,
    "analysis": analyse,
}


def _chunks(piece: Piece) -> list[ChunkResult]:
    return [ChunkResult.from_json(other.facts or {}) for other in piece.others if other.kind == "video"]


def _measured(piece: Piece) -> dict[str, RenditionFacts]:
    return merge(_chunks(piece))


def _audio(piece: Piece) -> AudioResult | None:
    return next((AudioResult.from_json(other.facts or {}) for other in piece.others if other.kind == "audio"), None)


def _rendition_url(context: Context, piece: Piece, measured: dict[str, RenditionFacts], name: str) -> Any:
    """The playable part of a stored rendition, as one fragmented MP4 behind an address."""
    segments = measured[name].segments[: playable_segments(piece.plan, measured)]
    return stored_url(context, piece.media, piece.build, name, [(segment.name, segment.bytes) for segment in segments])
