"""Make one piece of a preview: some segments of every rendition, the sound, or the poster.

Files first, the fact second: a run that was killed writes the same files under the same keys again. When the
last piece is there, its transaction orders the publication; joining happens in the database alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import func, select, update

from app.core import audit
from app.core.errors import Unavailable
from app.core.ids import random_name
from app.core.queue import enqueue
from app.media import encode
from app.media.encode import EncoderLost
from app.media.encoders import X264
from app.media.plan import Plan
from app.models import Preview, PreviewChunk, utc_now
from app.workflows.context import Context
from app.workflows.plan_preview import order_pieces
from app.workflows.preview_source import encoder, master_url, scratch, store_files, tools
from app.workflows.run_job import RunningJob


@dataclass(frozen=True)
class _Piece:
    media: str
    build: str
    kind: str
    index: int
    encoder: str
    plan: Plan


log = structlog.get_logger(__name__)

Made = tuple[str, list[Path], dict[str, Any]]
"""Kind of key, files below the folder, facts for the row."""


def encode_piece(context: Context, job: RunningJob) -> None:
    """Make, store and record the piece that the job's payload names. Raises MediaFailed, Unavailable, Stopped."""
    piece = _read(context, job)
    if piece is None:
        return
    make = {"video": _video, "audio": _audio, "poster": _poster}[piece.kind]
    with scratch(context) as folder:
        try:
            with master_url(context, job.target_id) as url:
                kind, paths, facts = make(context, job, piece, url, folder)
        except EncoderLost as error:
            encoder.cache_clear()  # the next build tests the card again
            _begin_again(context, job, piece, error)
            return
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
        return _Piece(
            preview.media, build, kind, index, preview.encoder or X264.name, Plan.from_json(preview.plan or {})
        )


def _video(context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    chunk = piece.plan.chunks[piece.index]
    chosen = X264 if piece.encoder == X264.name else encoder(context.settings.gpu_device)
    if piece.encoder != chosen.name:
        raise EncoderLost("encoder_missing", "This build was begun with an encoder that this worker has not.")
    result = encode.encode_chunk(
        tools(),
        chosen,
        url,
        piece.plan,
        chunk,
        folder,
        on_progress=_reporter(context, job, piece, chunk.frames),
        cancelled=job.stopped,
    )
    return "hls", result.paths(folder), result.to_json()


def _begin_again(context: Context, job: RunningJob, piece: _Piece, error: EncoderLost) -> None:
    """Give the whole build to x264, under a new build id: chunks of two encoders do not fit together."""
    log.warning("encoder_lost", code=error.code, build=piece.build)
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if preview.build != piece.build or preview.state != "building":
            return
        preview.build, preview.encoder, preview.progress, preview.has_poster = random_name(12), X264.name, 0, False
        session.flush()
        audit.record(
            session,
            audit.SYSTEM,
            "preview.begun_again",
            organization_id=preview.organization_id,
            target_kind="preview",
            target_id=preview.id,
            data={"reason": error.code, "build": preview.build},
        )
        order_pieces(session, preview, piece.plan)


def _audio(_context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    result = encode.encode_audio(tools(), url, piece.plan, folder, cancelled=job.stopped)
    return "hls", result.paths(folder), result.to_json()


def _poster(_context: Context, job: RunningJob, piece: _Piece, url: str, folder: Path) -> Made:
    return "stills", [encode.make_poster(tools(), url, piece.plan, folder, cancelled=job.stopped)], {}


def _reporter(context: Context, job: RunningJob, piece: _Piece, frames: int) -> Callable[[int], None]:
    """Writes the frames done to the piece's row, at most about twice a second."""
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
