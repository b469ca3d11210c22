"""A person stops a job. Its target tells of it at once, in the same transaction, whoever has the job in hand."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.lifecycle import advance
from app.core.policy import Principal
from app.models import Job, Preview, User, Version, utc_now
from app.workflows.list_jobs import target_kind

CODE = "cancelled"


def cancel_job(session: Session, principal: Principal, job: Job) -> None:
    """Stop a job that waits at once, one that runs within a second, where the caller has checked `jobs.change`.

    A promotion leaves its version failed, a job of a preview ends the whole build and leaves the preview failed;
    both say who cancelled, and may be tried again. Raises Conflict when the job has ended, or its target has just
    gone on.
    """
    session.refresh(job, with_for_update=True)
    if job.finished_at is not None:
        raise Conflict("job_has_ended", "This job has ended already; there is nothing to cancel.")
    reason = f"Cancelled by {_name(session, principal)}."
    kind = target_kind(job)
    if kind == "preview":
        _stop(session, Job.target_id == job.target_id, Job.finished_at.is_(None))
        _tell_preview(session, principal, job.target_id, reason)
    else:
        _stop(session, Job.id == job.id)
        if kind == "version":
            _tell_version(session, principal, job.target_id, reason)
    audit.record(
        session,
        principal.actor,
        "job.cancelled",
        organization_id=job.organization_id or principal.organization_id,
        target_kind=kind,
        target_id=job.target_id,
        data={"kind": job.kind, "job": str(job.id)},
    )
    session.refresh(job)


def _stop(session: Session, *conditions: object) -> None:
    """Ends what nobody holds; asks the holder of the rest to stop. Either way the key is free for a new job."""
    now = utc_now()
    free = or_(Job.lease_until.is_(None), Job.lease_until < now)
    session.execute(
        update(Job)
        .where(*conditions)  # type: ignore[arg-type]
        .values(
            cancel_requested=True,
            dedupe_key=None,
            finished_at=case((free, now), else_=Job.finished_at),
            outcome=case((free, "cancelled"), else_=Job.outcome),
            step=case((free, None), else_=Job.step),
        )
        .execution_options(synchronize_session=False)
    )


def _tell_version(session: Session, principal: Principal, version_id: UUID | None, reason: str) -> None:
    version = session.get(Version, version_id)
    if version is None or version.state != "received":
        return
    project = version.asset.project
    advance(
        session,
        version,
        "failed",
        actor=principal.actor,
        organization_id=project.organization_id,
        project_id=project.id,
        values={"error_code": CODE, "error": f"{reason} The upload is kept; it may be tried again."},
        data={"code": CODE},
    )


def _tell_preview(session: Session, principal: Principal, preview_id: UUID | None, reason: str) -> None:
    preview = session.get(Preview, preview_id)
    if preview is None or preview.state not in ("pending", "building", "playable"):
        return
    advance(
        session,
        preview,
        "failed",
        actor=principal.actor,
        organization_id=preview.organization_id,
        values={"error_code": CODE, "reason": reason},
        data={"code": CODE},
    )


def _name(session: Session, principal: Principal) -> str:
    if principal.actor.id is None:
        return "the operator"
    return session.scalar(select(User.name).where(User.id == principal.actor.id)) or "somebody"
