"""Begin a build of a preview: find out what the master is, settle the plan, order its pieces."""

from __future__ import annotations

import structlog
from sqlalchemy import exists
from sqlalchemy.orm import Session

from app.core import audit
from app.core.audit import SYSTEM
from app.core.errors import RushesError
from app.core.ids import random_name
from app.core.lifecycle import advance
from app.media.plan import Plan, make_plan
from app.media.probe import Unplayable, probe
from app.models import Asset, Preview, Project, Version
from app.workflows.context import Context
from app.workflows.preview_pieces import add_build, in_progress, planned_columns, retire
from app.workflows.preview_source import encoder, master_url, scratch, tools
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)


def plan_preview(context: Context, job: RunningJob) -> None:
    """Probe the master of preview `target_id` and order a build in one transaction.

    The payload names the build when it is to replace the one that is played. Bytes of which no preview can be
    made leave the preview unsupported, with the reason. Raises Unavailable, Cancelled.
    """
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id)
        if not _is_due(preview, job):
            return
        wants_2160 = _wants_2160(session, preview)
    try:
        with master_url(context, job.target_id) as url, scratch(context) as folder:
            found = probe(tools(), url, folder, cancelled=job.stopped)
        plan = make_plan(found, wants_2160=wants_2160)
        _begin(context, job, plan)
    except Unplayable as error:
        _unsupported(context, job, error)


def _begin(context: Context, job: RunningJob, plan: Plan) -> None:
    chosen = encoder(context.settings.gpu_device).name
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if not _is_due(preview, job):
            return
        build = preview.next_build or random_name(12)
        if preview.next_build is None:
            advance(
                session,
                preview,
                "building",
                actor=SYSTEM,
                organization_id=preview.organization_id,
                values=planned_columns(plan, build, chosen) | {"progress": 0},
                data={"build": build},
            )
        add_build(session, preview, build, plan, chosen)
    log.info("preview_planned", build=build, frames=plan.frame_count, chunks=len(plan.chunks))


def _is_due(preview: Preview, job: RunningJob) -> bool:
    build = job.payload.get("build")
    return preview.state == "pending" if build is None else preview.next_build == build


def _wants_2160(session: Session, preview: Preview) -> bool:
    """Previews are shared by digest within an organisation: one project that asks for 2160 is enough."""
    asks = (
        exists()
        .where(Version.preview_id == preview.id, Asset.id == Version.asset_id)
        .where(Project.id == Asset.project_id, Project.wants_2160)
    )
    return bool(session.scalar(asks.select()))


def fail_preview(context: Context, job: RunningJob, error: RushesError) -> None:
    """Make the preview tell that a job of a build has failed for good; one that is played stays as it is."""
    build = job.payload.get("build")
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if build is not None and build == preview.next_build:
            drop_next(session, preview, audit.SYSTEM, error.code, f"The new build stopped: {error.sentence}")
        elif (build is None and preview.state == "pending") or (build and in_progress(preview, build)):
            retire(session, preview.id, preview.build)
            advance(
                session,
                preview,
                "failed",
                actor=SYSTEM,
                organization_id=preview.organization_id,
                values={"error_code": error.code, "reason": f"The preview stopped: {error.sentence}"},
                data={"code": error.code},
            )


def drop_next(session: Session, preview: Preview, actor: audit.Actor, code: str, sentence: str) -> None:
    """Give up the build that was to replace the present one, which stays; the row is locked by the caller."""
    build = preview.next_build
    retire(session, preview.id, build)
    preview.next_build, preview.next_progress = None, 0
    preview.error_code, preview.reason = code, f"{sentence} The earlier build stays."
    session.flush()
    audit.record(
        session,
        actor,
        "preview.kept",
        organization_id=preview.organization_id,
        target_kind="preview",
        target_id=preview.id,
        data={"code": code, "build": build},
    )


def _unsupported(context: Context, job: RunningJob, error: Unplayable) -> None:
    with context.unit_of_work() as session:
        preview = session.get_one(Preview, job.target_id, with_for_update=True)
        if not _is_due(preview, job):
            return
        if preview.next_build is not None:
            drop_next(session, preview, SYSTEM, error.code, f"Nothing could be built because {error.because}")
            return
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
