"""Make one piece of a preview: some segments of every rendition, the sound, or the poster.

Files first, the fact second: a run that was killed writes the same files under the same keys again. When the
last piece is there, its transaction orders the publication; joining happens in the database alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from app.core.errors import Unavailable
from app.core.queue import enqueue
from app.media import encode
from app.media.encode import EncoderLost
from app.media.encoders import X264, Encoder
from app.media.plan import Plan
from app.media.results import ChunkResult
from app.models import Preview, PreviewChunk, utc_now
from app.workflows.context import Context
from app.workflows.preview_source import encoder, master_url, scratch, store_files, tools
from app.workflows.run_job import RunningJob


@dataclass(frozen=True)
class _Piece:
    media: str
    build: str
    kind: str
    index: int
    plan: Plan


Made = tuple[str, list[Path], dict[str, Any]]
"""Kind of key, files below the folder, facts for the row."""


def encode_piece(context: Context, job: RunningJob) -> None:
    """Make, store and record the piece that the job's payload names. Raises MediaFailed, Unavailable, Stopped."""
    piece = _read(context, job)
    if piece is None:
        return
    make = {"video": _video, "audio": _audio, "poster": _poster}[piece.kind]
    with scratch(context) as folder:
        with master_url(context, job.target_id) as url:
            kind, paths, facts = make(context, job, piece, url, folder)
        job.report(95, "storing")
        store_files(context, kind, piece.media, piece.build, folder, paths)
    _record(context, job, piece, facts)


def _read(context: Context, job: RunningJob) -> _Piece | None:
    build, kind, index = job.payload["build"], job.payload["kind"], job.payload["index"]
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        row = session.get(PreviewChunk, (preview.id, build, kind, index))
        if row is None or row.done_at is not None or preview.build != build or preview.state != "building":
            return None
        return _Piece(preview.media, build, kind, index, Plan.from_json(preview.plan or {}))


def _video(context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    chunk = piece.plan.chunks[piece.index]

    def run(with_encoder: Encoder, place: Path) -> ChunkResult:
        return encode.encode_chunk(
            tools(),
            with_encoder,
            url,
            piece.plan,
            chunk,
            place,
            on_progress=_reporter(context, job, piece, chunk.frames),
            cancelled=job.stopped,
        )

    place = folder / "try"
    place.mkdir()
    try:
        result = run(encoder(context.settings.gpu_device), place)
    except EncoderLost:
        encoder.cache_clear()  # the next job tests the card again
        place = folder / "again"
        place.mkdir()
        result = run(X264, place)
    for path in result.paths(place):
        target = folder / path.relative_to(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    return "hls", result.paths(folder), result.to_json()


def _audio(_context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    result = encode.encode_audio(tools(), url, piece.plan, folder, cancelled=job.stopped)
    return "hls", result.paths(folder), result.to_json()


def _poster(_context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    return "stills", [encode.make_poster(tools(), url, piece.plan, folder, cancelled=job.stopped)], {}


def _reporter(context: Context, job: RunningJob, piece: _Piece, frames: int) -> Callable[[int], None]:
    """Writes the frames done to the piece's row, at most about twice a second."""
    from time import monotonic

    last = [0.0]

    def report(done: int) -> None:
        job.progress = min(94, done * 94 // max(1, frames))
        if monotonic() - last[0] < 0.5:
            return
        last[0] = monotonic()
        with context.unit_of_work() as session:
            session.execute(
                update(PreviewChunk).where(*_this(job, piece), PreviewChunk.done_at.is_(None)).values(frames_done=done)
            )
            _show_progress(session, job, piece)

    return report


def _this(job: RunningJob, piece: _Piece) -> tuple[Any, ...]:
    return (
        PreviewChunk.preview_id == job.target_id,
        PreviewChunk.build == piece.build,
        PreviewChunk.kind == piece.kind,
        PreviewChunk.index == piece.index,
    )


def _show_progress(session: Any, job: RunningJob, piece: _Piece) -> None:
    """Per cent of the frames that are encoded, never going back, 99 until the publication."""
    done, total = session.execute(
        select(func.sum(PreviewChunk.frames_done), func.sum(PreviewChunk.frames)).where(
            PreviewChunk.preview_id == job.target_id, PreviewChunk.build == piece.build
        )
    ).one()
    percent = min(99, int(done or 0) * 100 // max(1, int(total or 1)))
    session.execute(
        update(Preview)
        .where(Preview.id == job.target_id, Preview.build == piece.build, Preview.progress < percent)
        .values(progress=percent)
    )


def _record(context: Context, job: RunningJob, piece: _Piece, facts: dict[str, Any]) -> None:
    with context.unit_of_work() as session:
        # The row lock makes the last two pieces take turns: one of them sees that nothing is missing.
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if preview.build != piece.build or preview.state != "building":
            return
        row = session.get(PreviewChunk, (preview.id, piece.build, piece.kind, piece.index))
        if row is None:
            raise Unavailable("chunk_gone", "The plan of this preview has changed.")
        row.done_at, row.facts, row.frames_done = utc_now(), facts, row.frames
        if piece.kind == "poster":
            preview.has_poster = True
        session.flush()
        _show_progress(session, job, piece)
        missing = session.scalar(
            select(func.count()).where(
                PreviewChunk.preview_id == preview.id,
                PreviewChunk.build == piece.build,
                PreviewChunk.done_at.is_(None),
            )
        )
        if not missing:
            enqueue(
                session,
                "publish_preview",
                target_id=preview.id,
                organization_id=preview.organization_id,
                payload={"build": piece.build},
                dedupe_key=f"publish:{preview.id}:{piece.build}",
            )
