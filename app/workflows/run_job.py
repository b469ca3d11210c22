"""Run one job: take its lease, keep it alive, do the work, write the end.

At-least-once: the work may be done twice, never by two at the same time while the lease lives. A worker
that dies leaves a lease that ends by itself; the reconciler then sends the job again. A job whose attempts
are used up without an end (it killed its worker each time) fails.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy import or_, select, update

from app.core.errors import Conflict, Rejected, RushesError, Unavailable
from app.core.ids import random_name
from app.core.queue import KINDS
from app.models import Job, utc_now
from app.workflows.context import Context

log = structlog.get_logger(__name__)

JOBS = Counter("rushes_jobs_total", "Jobs that ended, or wait for another attempt", ["kind", "outcome"])
SECONDS = Histogram(
    "rushes_job_seconds", "Time of one attempt", ["kind"], buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
)

LEASE = timedelta(seconds=30)
BEAT_SECONDS = 0.5
LEASE_EVERY_SECONDS = 8.0
#: So long before its lease ends a worker that cannot renew it stops by itself.
MARGIN_SECONDS = 8.0
#: Work that only waits for a server of ours is tried for so long; its attempts do not count.
PATIENCE = timedelta(days=3)
#: Waits before another attempt, in seconds, by attempts used; the last one repeats.
BACKOFF = (1, 3, 10, 30, 60)
INTERNAL = "internal_error"


class Stopped(RushesError):
    """The job was cancelled by a person, or its lease went to another worker."""


@dataclass
class RunningJob:
    """The job in hand, as its body sees it. Detached: it holds no connection."""

    id: UUID
    lease: str
    kind: str
    target_id: UUID
    organization_id: UUID | None
    payload: dict[str, Any]
    attempt: int
    last_attempt: bool
    created_at: datetime
    _stop: threading.Event = field(default_factory=threading.Event)
    progress: int = 0
    step: str | None = None

    def stopped(self) -> bool:
        """Whether to give up now; polled by long work."""
        return self._stop.is_set()

    def report(self, progress: int, step: str | None = None) -> None:
        """Say how far the work is (per cent) and at what; written with the next beat."""
        self.progress, self.step = max(0, min(100, progress)), step or self.step
        if self.stopped():
            raise Stopped("job_stopped", "The job was cancelled.")


Body = Callable[[Context, RunningJob], None]
OnFailure = Callable[[Context, RunningJob, RushesError], None]


def run_job(context: Context, job_id: UUID, body: Body, on_failure: OnFailure | None = None) -> None:
    """Run `body` on a job that is due; `on_failure` makes the target's state tell of a final failure."""
    job = _claim(context, job_id)
    if job is None:
        return
    with structlog.contextvars.bound_contextvars(job_id=str(job.id), kind=job.kind, target_id=str(job.target_id)):
        if job.attempt > _limit(job):
            _fail(context, job, on_failure, Rejected("worker_died", "The work stopped its worker each time."))
            return
        log.info("job_begun", attempt=job.attempt)
        try:
            with _alive(context, job), SECONDS.labels(job.kind).time():
                body(context, job)
        except Stopped:
            _finish(context, job, "cancelled")
            log.info("job_cancelled")
        except (Unavailable, Conflict) as error:
            _again_or_fail(context, job, on_failure, error)
        except RushesError as error:
            if job.stopped():  # the program that it ran was stopped on request
                _finish(context, job, "cancelled")
            else:
                _fail(context, job, on_failure, error)
        except Exception:
            log.exception("job_crashed")
            broken = Unavailable(INTERNAL, "Something of ours broke; the log has the reason.")
            _again_or_fail(context, job, on_failure, broken)
        else:
            _finish(context, job, "done")
            log.info("job_done")


def _limit(job: RunningJob) -> int:
    return KINDS[job.kind].max_attempts


def _claim(context: Context, job_id: UUID) -> RunningJob | None:
    now = utc_now()
    lease = f"{context.worker}:{random_name(8)}"  # of this claim alone: an older one cannot write any more
    with context.unit_of_work() as session:
        row = session.execute(
            update(Job)
            .where(Job.id == job_id, Job.finished_at.is_(None), Job.due_at <= now)
            .where(or_(Job.lease_until.is_(None), Job.lease_until < now))
            .values(
                lease_owner=lease,
                worker=context.shown_worker,
                lease_until=now + LEASE,
                attempts=Job.attempts + 1,
                started_at=now,
            )
            .returning(Job)
        ).scalar_one_or_none()
        if row is None or row.target_id is None:
            return None
        return RunningJob(
            id=row.id,
            lease=lease,
            kind=row.kind,
            target_id=row.target_id,
            organization_id=row.organization_id,
            payload=row.payload,
            attempt=row.attempts,
            last_attempt=row.attempts >= row.max_attempts,
            created_at=row.created_at,
        )


@contextmanager
def _alive(context: Context, job: RunningJob) -> Iterator[None]:
    """Renew the lease, write progress and watch for cancellation, in a thread of its own."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(context, job, done), name=f"beat-{job.kind}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=10)


def _beat(context: Context, job: RunningJob, done: threading.Event) -> None:
    renewed, written = time.monotonic(), (0, None)
    while not done.wait(BEAT_SECONDS):
        report: Any = (job.progress, job.step)
        renew = time.monotonic() - renewed >= LEASE_EVERY_SECONDS or report != written
        begun = time.monotonic()
        try:
            held = _renew(context, job) if renew else _wanted(context, job)
        except Exception as error:  # the database is away: the lease may still hold, but not for ever
            log.warning("beat_missed", error=type(error).__name__)
            held = time.monotonic() - renewed < LEASE.total_seconds() - MARGIN_SECONDS
            renew = False
        if renew:
            renewed, written = begun, report
        if not held:
            job._stop.set()
            return


def _renew(context: Context, job: RunningJob) -> bool:
    with context.unit_of_work() as session:
        cancelled = session.execute(
            update(Job)
            .where(Job.id == job.id, Job.lease_owner == job.lease, Job.finished_at.is_(None))
            .values(lease_until=utc_now() + LEASE, progress=job.progress, step=job.step)
            .returning(Job.cancel_requested)
        ).scalar_one_or_none()
    return cancelled is False


def _wanted(context: Context, job: RunningJob) -> bool:
    with context.unit_of_work() as session:
        cancelled = session.scalar(select(Job.cancel_requested).where(Job.id == job.id, Job.lease_owner == job.lease))
    return cancelled is False


def _finish(context: Context, job: RunningJob, outcome: str, error: RushesError | None = None) -> None:
    JOBS.labels(job.kind, outcome).inc()
    with context.unit_of_work() as session:
        session.execute(
            update(Job)
            .where(Job.id == job.id, Job.lease_owner == job.lease, Job.finished_at.is_(None))
            .values(
                finished_at=utc_now(),
                outcome=outcome,
                lease_owner=None,
                lease_until=None,
                step=None,
                progress=100 if outcome == "done" else job.progress,
                error_code=error.code if error else None,
                error=error.sentence if error else None,
            )
        )


def _again_or_fail(context: Context, job: RunningJob, on_failure: OnFailure | None, error: RushesError) -> None:
    """Another attempt later. What waits for a server that is away waits with patience; crashes are counted."""
    waits = isinstance(error, Unavailable) and error.code != INTERNAL
    age = (utc_now() - job.created_at).total_seconds()
    if (waits and age > PATIENCE.total_seconds()) or (not waits and job.last_attempt):
        _fail(context, job, on_failure, error)
        return
    wait = min(60.0, max(1.0, age / 4)) if waits else BACKOFF[min(job.attempt, len(BACKOFF)) - 1]
    JOBS.labels(job.kind, "again").inc()
    if error.code != INTERNAL:
        log.warning("job_waits", code=error.code, seconds=round(wait, 1))
    with context.unit_of_work() as session:
        session.execute(
            update(Job)
            .where(Job.id == job.id, Job.lease_owner == job.lease)
            .values(
                attempts=Job.attempts - 1 if waits else Job.attempts,
                due_at=utc_now() + timedelta(seconds=wait),
                lease_owner=None,
                lease_until=None,
                sent_at=None,
                error_code=error.code,
                error=error.sentence,
            )
        )
    context.sender.later(job.kind, job.id, wait + 0.3)  # heard after due_at for sure


def _fail(context: Context, job: RunningJob, on_failure: OnFailure | None, error: RushesError) -> None:
    if not _renew(context, job):
        return  # the lease went to another worker: the target is its to judge
    log.error("job_failed", code=error.code, sentence=error.sentence)
    if on_failure is not None:
        on_failure(context, job, error)
    _finish(context, job, "failed", error)


def release_dead_leases(context: Context) -> int:
    """Free the leases of workers of this machine that are gone; returns how many. Called at a worker's start."""
    here = context.worker.rpartition(":")[0]
    with context.unit_of_work() as session:
        owners = session.scalars(
            select(Job.lease_owner).where(Job.finished_at.is_(None), Job.lease_owner.startswith(f"{here}:")).distinct()
        ).all()
        dead = [owner for owner in owners if owner and not _is_running(int(owner.split(":")[-2]))]
        freed = session.execute(
            update(Job)
            .where(Job.lease_owner.in_(dead), Job.finished_at.is_(None))
            .values(lease_owner=None, lease_until=None, sent_at=None)
            .returning(Job.id)
        ).all()
    return len(freed)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
