"""Make one piece of a preview, store it, record it.

Files first, the fact second: a run that was killed writes the same files under the same keys again. When the
last piece is there, its transaction orders the publication, or ends the build; joining happens in the database
alone.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

import structlog
from sqlalchemy import update

from app.core import audit
from app.core.errors import RushesError, Unavailable
from app.core.ids import random_name
from app.core.queue import enqueue
from app.media.encode import EncoderLost
from app.media.encoders import X264
from app.media.plan import Plan
from app.models import Preview, PreviewChunk, utc_now
from app.workflows.context import Context
from app.workflows.finish_build import finish_build
from app.workflows.make_pieces import MAKERS, Piece, Report
from app.workflows.preview_pieces import (
    EXTRAS,
    add_build,
    build_of,
    in_progress,
    made_columns,
    missing,
    pieces_of,
    retire,
    show_progress,
)
from app.workflows.preview_source import encoder, scratch, store_files
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)


def encode_piece(context: Context, job: RunningJob) -> None:
    """Make, store and record the piece that the job's payload names. Raises MediaFailed, Unavailable, Stopped."""
    piece = _read(context, job)
    if piece is None:
        return
    with scratch(context) as folder:
        try:
            made = MAKERS[piece.kind](context, job, piece, folder, _reporter(context, job, piece))
        except EncoderLost as error:
            encoder.cache_clear()  # the next build tests the card again
            _begin_again(context, job, piece, error)
            return
        job.report(95, "storing")
        for kind, paths in made.files:
            store_files(context, kind, piece.media, piece.build, folder, paths)
    _record(context, job, made.facts)


def leave_out_piece(context: Context, job: RunningJob, error: RushesError) -> None:
    """An extra that failed for good is left out: the preview plays without it."""
    log.warning("piece_left_out", piece=job.payload["kind"], code=error.code)
    _record(context, job, {"left_out": error.code})


def _read(context: Context, job: RunningJob) -> Piece | None:
    build, kind, index = job.payload["build"], job.payload["kind"], job.payload["index"]
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        row = session.get(PreviewChunk, (preview.id, build, kind, index))
        if row is None or row.done_at is not None or not in_progress(preview, build):
            return None
        settled = build_of(session, preview.id, build)
        others = pieces_of(session, preview.id, build) if kind in EXTRAS else []
        return Piece(preview.media, build, kind, index, settled.encoder, Plan.from_json(settled.plan), others)


def _begin_again(context: Context, job: RunningJob, piece: Piece, error: EncoderLost) -> None:
    """Give the whole build to x264, under a new build id: chunks of two encoders do not fit together."""
    log.warning("encoder_lost", code=error.code, build=piece.build)
    build = random_name(12)
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if not in_progress(preview, piece.build):
            return
        if preview.next_build == piece.build:
            preview.next_build, preview.next_progress = build, 0
        else:
            preview.build, preview.encoder, preview.progress = build, X264.name, 0
            preview.has_poster = preview.has_waveform = False
        retire(session, preview.id, piece.build)
        session.flush()
        audit.record(
            session,
            audit.SYSTEM,
            "preview.begun_again",
            organization_id=preview.organization_id,
            target_kind="preview",
            target_id=preview.id,
            data={"reason": error.code, "build": build},
        )
        add_build(session, preview, build, piece.plan, X264.name)


def _reporter(context: Context, job: RunningJob, piece: Piece) -> Report:
    """Writes how much of the piece is done to its row, at most about twice a second."""
    last = [0.0]
    chunk = piece.plan.chunks[piece.index].frames if piece.kind == "video" else piece.plan.frame_count

    def report(done: int) -> None:
        job.progress = min(94, done * 94 // max(1, chunk))
        if monotonic() - last[0] < 0.5:
            return
        last[0] = monotonic()
        with context.unit_of_work() as session:
            session.execute(
                update(PreviewChunk)
                .where(
                    PreviewChunk.preview_id == job.target_id,
                    PreviewChunk.build == piece.build,
                    PreviewChunk.kind == piece.kind,
                    PreviewChunk.index == piece.index,
                    PreviewChunk.done_at.is_(None),
                )
                .values(frames_done=PreviewChunk.frames * job.progress // 100)
            )
            show_progress(session, job.target_id, piece.build)

    return report


def _record(context: Context, job: RunningJob, facts: dict[str, Any]) -> None:
    build, kind, index = job.payload["build"], job.payload["kind"], job.payload["index"]
    with context.unit_of_work() as session:
        # The row lock makes the last two pieces take turns: one of them sees that nothing is missing.
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if not in_progress(preview, build):
            return
        row = session.get(PreviewChunk, (preview.id, build, kind, index))
        if row is None:
            raise Unavailable("chunk_gone", "The plan of this preview has changed.")
        row.done_at, row.facts, row.frames_done = utc_now(), facts, row.frames
        if build == preview.build:
            for name, value in made_columns(kind, facts, preview.probe or {}).items():
                setattr(preview, name, value)
        session.flush()
        show_progress(session, preview.id, build)
        left = missing(session, preview.id, build)
        if kind in EXTRAS and not left:
            finish_build(session, preview, build)
        elif kind not in EXTRAS and left <= EXTRAS:
            enqueue(
                session,
                "publish_preview",
                target_id=preview.id,
                organization_id=preview.organization_id,
                payload={"build": build},
                dedupe_key=f"publish:{preview.id}:{build}",
            )
