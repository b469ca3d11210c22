"""A person asks once more for work that has failed or was cancelled."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.policy import Principal
from app.core.queue import requeue
from app.models import Job, Version
from app.workflows.list_jobs import target_kind
from app.workflows.retry_version import retry_version


def retry_job(session: Session, principal: Principal, job: Job) -> None:
    """Begin again what a job was for, where the caller has checked `jobs.change`.

    Where its target tells of the failure, the target goes back to its beginning and new work is ordered for it
    (retry_version); any other job becomes due again itself, with all its attempts. Raises Conflict when the job
    has not failed, or the target has gone on since.
    """
    session.refresh(job, with_for_update=True)
    if job.outcome not in ("failed", "cancelled"):
        raise Conflict("job_has_not_failed", "This job has not failed; there is nothing to try again.")
    kind = target_kind(job)
    if kind in ("version", "preview"):
        version = _version_of(session, job, kind)
        if version.state == "rejected":
            raise Conflict("version_is_rejected", "The file itself was refused. Upload it again.")
        retry_version(session, principal, version)
    else:
        _again(session, job)
    audit.record(
        session,
        principal.actor,
        "job.retried",
        organization_id=job.organization_id or principal.organization_id,
        target_kind=kind,
        target_id=job.target_id,
        data={"kind": job.kind, "job": str(job.id)},
    )


def _version_of(session: Session, job: Job, kind: str) -> Version:
    """The version that a job works on, or one of those that show the preview that it works on."""
    column = Version.id if kind == "version" else Version.preview_id
    version = session.scalars(
        select(Version).where(column == job.target_id).order_by(Version.created_at.desc()).limit(1)
    ).one_or_none()
    if version is None:
        raise Conflict("target_is_gone", "What this job worked on is no longer there.")
    return version


def _again(session: Session, job: Job) -> None:
    try:
        requeue(session, job)
    except IntegrityError:
        session.rollback()
        raise Conflict("job_is_ordered", "The same work is ordered again already.") from None
