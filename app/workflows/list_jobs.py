"""The work of an organisation: what runs, what waits, what has failed and needs somebody, what ended lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
from sqlalchemy.orm import Session, aliased

from app.core.errors import NotFound
from app.core.policy import Principal, check_organization
from app.models import Job, utc_now
from app.workflows.subjects import Subject, subjects_of

PAGE = 50
#: What has ended is history: fewer of it.
ENDED = 20
#: How long a failure asks for attention, and how long what ended is shown.
LATELY = timedelta(days=7)
#: Kind of job → kind of the thing that its target is; all others work on previews.
TARGETS: Mapping[str, str] = {"promote_version": "version", "clean_staging": "upload"}


@dataclass(frozen=True)
class Listed:
    """One job and what it works on; None when that is gone."""

    job: Job
    subject: Subject | None


@dataclass(frozen=True)
class Board:
    """The first PAGE jobs of each state; `counts` tells how many there are (of `ended`: how many are listed)."""

    running: list[Listed]
    waiting: list[Listed]
    failed: list[Listed]
    ended: list[Listed]
    counts: Mapping[str, int]


def list_jobs(session: Session, organization_id: UUID | None, *, limit: int = PAGE) -> Board:
    """The jobs of an organisation, or of all (None, for the operator)."""
    now = utc_now()
    mine = Job.organization_id == organization_id if organization_id else Job.id.is_not(None)
    held = Job.lease_until > now
    failed = and_(Job.outcome == "failed", Job.finished_at > now - LATELY, not_(_superseded()))
    # What has ended comes first: a job that ends between two queries is then in no list, not in two of them.
    states: dict[str, tuple[ColumnElement[bool], tuple[Any, ...], int]] = {
        "ended": (and_(Job.finished_at > now - LATELY, not_(failed)), (Job.finished_at.desc(),), min(limit, ENDED)),
        "failed": (failed, (Job.finished_at.desc(),), limit),
        "running": (and_(Job.finished_at.is_(None), held), (Job.started_at.asc(),), limit),
        "waiting": (
            and_(Job.finished_at.is_(None), or_(Job.lease_until.is_(None), not_(held))),
            (Job.priority.asc(), Job.due_at.asc(), Job.id.asc()),
            limit,
        ),
    }
    found: dict[str, list[Job]] = {}
    counts, seen = {}, set[UUID]()
    for name, (condition, order, most) in states.items():
        jobs = session.scalars(select(Job).where(mine, condition).order_by(*order).limit(most)).all()
        found[name] = [job for job in jobs if job.id not in seen]
        seen.update(job.id for job in jobs)
        counts[name] = len(found[name])
        if len(jobs) == most and name != "ended":
            counts[name] = session.scalar(select(func.count()).select_from(Job).where(mine, condition)) or 0
    named = _named(session, [job for jobs in found.values() for job in jobs])
    return Board(**{name: [named[job.id] for job in jobs] for name, jobs in found.items()}, counts=counts)


def target_kind(job: Job) -> str:
    """The kind of thing that a job works on: version, upload or preview."""
    return TARGETS.get(job.kind, "preview")


def find_job(session: Session, principal: Principal, job_id: UUID, action: str) -> Job:
    """A job of the principal's organisation. Raises NotFound or Denied."""
    check_organization(principal, action)
    job = session.scalars(
        select(Job).where(Job.id == job_id, Job.organization_id == principal.organization_id)
    ).one_or_none()
    if job is None:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    return job


def is_held(job: Job, now: datetime | None = None) -> bool:
    """Whether a worker has it in hand."""
    return job.finished_at is None and job.lease_until is not None and job.lease_until > (now or utc_now())


def _superseded() -> ColumnElement[bool]:
    """Whether work on the same target was ordered after the job had failed: then the failure is history."""
    later = aliased(Job)
    return exists().where(later.target_id == Job.target_id, later.id != Job.id, later.created_at > Job.finished_at)


def _named(session: Session, jobs: Sequence[Job]) -> dict[UUID, Listed]:
    subjects = subjects_of(session, [(target_kind(job), job.target_id) for job in jobs if job.target_id])
    return {
        job.id: Listed(job, subjects.get((target_kind(job), job.target_id)) if job.target_id else None) for job in jobs
    }
