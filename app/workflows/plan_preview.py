"""Begin a preview: find out what the master is, settle the plan, order its chunks."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.audit import SYSTEM
from app.core.errors import RushesError
from app.core.ids import random_name
from app.core.lifecycle import advance
from app.core.queue import enqueue
from app.media.plan import Plan, make_plan
from app.media.probe import Unplayable, probe
from app.models import Preview, PreviewChunk
from app.workflows.context import Context
from app.workflows.preview_source import encoder, master_url, scratch, tools
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)

#: kind of chunk → kind of job that makes it
CHUNK_JOBS = {"video": "encode_chunk", "audio": "encode_audio", "poster": "make_poster"}


def plan_preview(context: Context, job: RunningJob) -> None:
    """Probe the master of preview `target_id` and order its build in one transaction.

    Bytes of which no preview can be made leave the preview unsupported, with the reason. Raises Unavailable.
    """
    with context.unit_of_work() as session:
        if session.get_one(Preview, job.target_id).state != "pending":
            return
    try:
        with master_url(context, job.target_id) as url, scratch(context) as folder:
            plan = make_plan(probe(tools(), url, folder, cancelled=job.stopped))
    except Unplayable as error:
        _unsupported(context, job, error)
        return
    build = random_name(12)
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        advance(
            session,
            preview,
            "building",
            actor=SYSTEM,
            organization_id=preview.organization_id,
            values=_facts(plan, build) | {"encoder": encoder(context.settings.gpu_device).name},
            data={"build": build},
        )
        order_pieces(session, preview, plan)
    log.info("preview_planned", build=build, frames=plan.frame_count, chunks=len(plan.chunks))


def fail_preview(context: Context, job: RunningJob, error: RushesError) -> None:
    """Make the preview's state tell that a job of its present build has failed for good."""
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        build = job.payload.get("build")
        if preview.state not in ("pending", "building", "playable") or build not in (None, preview.build):
            return
        advance(
            session,
            preview,
            "failed",
            actor=SYSTEM,
            organization_id=preview.organization_id,
            values={"error_code": error.code, "reason": f"The preview stopped: {error.sentence}"},
            data={"code": error.code},
        )


def _unsupported(context: Context, job: RunningJob, error: Unplayable) -> None:
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        advance(
            session,
            preview,
            "unsupported",
            actor=SYSTEM,
            organization_id=preview.organization_id,
            values={"error_code": error.code, "reason": error.sentence},
            data={"code": error.code},
        )
    log.info("preview_unsupported", code=error.code)


def _facts(plan: Plan, build: str) -> dict[str, Any]:
    rate, timecode = plan.exact_rate, plan.probe.timecode
    fits = timecode.rate == rate
    return {
        "build": build,
        "plan": plan.to_json(),
        "probe": plan.probe.to_json(),
        "progress": 0,
        "has_poster": False,
        "rate_num": rate.numerator,
        "rate_den": rate.denominator,
        "frame_count": plan.frame_count,
        "start_frame": timecode.start if fits else 0,
        "drop_frame": timecode.drop if fits else False,
        "error_code": None,
        "reason": None,
    }


def order_pieces(session: Session, preview: Preview, plan: Plan) -> None:
    """One row and one job for each piece of the present build: the poster first, then sound, then the chunks in order.

    Raises Unplayable when there is nothing to make.
    """
    pieces = [("video", chunk.index, chunk.frames) for chunk in plan.chunks]
    pieces += [("audio", 0, 0)] if plan.has_audio else []
    pieces += [("poster", 0, 0)] if plan.has_poster else []
    if not pieces:
        raise Unplayable("nothing_to_build", "it holds neither picture nor sound that could be shown.")
    rows = [
        {
            "preview_id": preview.id,
            "build": preview.build,
            "kind": kind,
            "index": index,
            "frames": frames,
            "frames_done": 0,
        }
        for kind, index, frames in pieces
    ]
    session.execute(insert(PreviewChunk).values(rows).on_conflict_do_nothing())
    for kind, index, _frames in sorted(pieces, key=lambda piece: ("poster", "audio", "video").index(piece[0])):
        enqueue(
            session,
            CHUNK_JOBS[kind],
            target_id=preview.id,
            organization_id=preview.organization_id,
            payload={"build": preview.build, "kind": kind, "index": index},
            dedupe_key=f"{kind}:{preview.id}:{preview.build}:{index}",
            priority=20 if kind == "video" and index == 0 else None,
        )


def pieces_of(session: Session, preview: Preview) -> list[PreviewChunk]:
    """The pieces of the present build, in order."""
    return list(
        session.scalars(
            select(PreviewChunk)
            .where(PreviewChunk.preview_id == preview.id, PreviewChunk.build == preview.build)
            .order_by(PreviewChunk.kind, PreviewChunk.index)
        )
    )
