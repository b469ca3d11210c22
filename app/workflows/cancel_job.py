"""A person stops a job. Its target tells of it at once, in the same transaction, whoever has the job in hand."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.lifecycle import advance
from app.core.policy import Principal
from app.models import Job, Preview, Version
from app.workflows.cancel_preview import CODE, name_of, stop_jobs, tell_preview
from app.workflows.list_jobs import target_kind


def cancel_job(session: Session, principal: Principal, job: Job) -> None:
    """Stop a job that waits at once, one that runs within a second, where the caller has checked `jobs.change`.

    A promotion leaves its version failed; a job of a preview ends the whole build, as cancel_preview does. Both
    say who cancelled, and may be tried again. Raises Conflict when the job has ended, or its target has just
    gone on.
    """
    # First the preview, then its jobs: in the order in which cancel_preview takes its locks.
    preview = session.get(Preview, job.target_id, with_for_update=True) if target_kind(job) == "preview" else None
    session.refresh(job, with_for_update=True)
    if job.finished_at is not None:
        raise Conflict("job_has_ended", "This job has ended already; there is nothing to cancel.")
    reason = f"Cancelled by {name_of(session, principal)}."
    if preview is not None:
        stop_jobs(session, Job.target_id == preview.id, Job.finished_at.is_(None))
        tell_preview(session, preview, principal.actor, reason)
    else:
        stop_jobs(session, Job.id == job.id)
        if target_kind(job) == "version":
            _tell_version(session, principal, job.target_id, reason)
    audit.record(
        session,
        principal.actor,
        "job.cancelled",
        organization_id=job.organization_id or principal.organization_id,
        target_kind=target_kind(job),
        target_id=job.target_id,
        data={"kind": job.kind, "job": str(job.id)},
    )
    session.refresh(job)


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
