"""Promote a version: prove what arrived, copy it under lock, read the lock back, record it (design 6).

Storage first, database second: every step may be repeated after a crash at any line. Nothing here deletes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, text

from app.core import keys, masters
from app.core.audit import SYSTEM
from app.core.errors import Conflict, Rejected, RushesError, Unavailable
from app.core.lifecycle import advance
from app.core.queue import enqueue
from app.core.storage import Changed, Missing
from app.models import Project, Upload, Version, utc_now
from app.workflows.context import Context
from app.workflows.record_promotion import Proof, Received, record_promotion
from app.workflows.run_job import RunningJob

log = structlog.get_logger(__name__)


class StagingLost(RushesError):
    """The staged bytes are gone or are other ones than were completed. A person must look: nothing is deleted."""


#: A rejected file stays in staging this long, should its rejection be doubted.
KEEP_REJECTED = timedelta(days=1)


def promote_version(context: Context, job: RunningJob) -> None:
    """Take one version from received to promoted.

    Raises Rejected (zero bytes, false claim: the version becomes rejected), Unavailable or Conflict (tried
    again). A version that is promoted already is left as it is.
    """
    facts = _read(context, job.target_id)
    if facts is None:
        return
    if facts.size == 0:
        raise Rejected("zero_bytes", "The file is empty. Check the source and upload it again.")
    measured = _measure(context, job, facts)
    _compare(facts, measured)
    key = keys.master(facts.organization_id, measured.sha256)
    with _one_at_a_time(context, key):
        locked = _lock(context, job, facts, key, measured)
    record_promotion(context, facts, Proof(key, measured, locked))
    log.info("version_promoted", sha256=measured.sha256, size=measured.size)


def fail_version(context: Context, job: RunningJob, error: RushesError) -> None:
    """Make the version's state tell of the final failure: rejected for good, or failed until a person retries."""
    state = "rejected" if isinstance(error, Rejected) and error.code != "worker_died" else "failed"
    with context.unit_of_work() as session:
        version = session.get_one(Version, job.target_id)
        if version.state != "received":
            return
        project = session.get_one(Project, version.asset.project_id)
        advance(
            session,
            version,
            state,
            actor=SYSTEM,
            organization_id=project.organization_id,
            project_id=project.id,
            values={"error_code": error.code, "error": error.sentence},
            data={"code": error.code},
        )
        if state == "rejected":
            enqueue(
                session,
                "clean_staging",
                target_id=version.upload_id,
                organization_id=project.organization_id,
                delay=KEEP_REJECTED,
            )


def _read(context: Context, version_id: UUID) -> Received | None:
    with context.unit_of_work() as session:
        version = session.get_one(Version, version_id)
        if version.state != "received" or version.upload_id is None:
            return None
        upload = session.get_one(Upload, version.upload_id)
        if upload.etag is None:
            raise Conflict("upload_not_complete", "The upload is not complete.")
        return Received(
            version_id,
            upload.organization_id,
            upload.project_id,
            keys.staging(upload.id),
            upload.size,
            upload.etag,
            version.claimed_sha256,
            version.copy_upload_id,
            version.file_name,
        )


def _measure(context: Context, job: RunningJob, facts: Received) -> masters.Measured:
    try:
        return masters.measure(
            context.storage,
            facts.staging_key,
            etag=facts.etag,
            size=facts.size,
            report=lambda share: job.report(int(share * 50), "checking"),
        )
    except (Missing, Changed):
        _check_staging(context, facts)
        raise Unavailable("staging_unreadable", "The upload could not be read; it is tried again.") from None


def _check_staging(context: Context, facts: Received) -> None:
    """Raise StagingLost when the staged object itself is gone or another one; other faults are no proof of that."""
    try:
        etag = masters.staged_etag(context.storage, facts.staging_key)
    except Missing:
        raise StagingLost("staging_gone", "The uploaded file is no longer there. Upload it again.") from None
    if etag != facts.etag:
        raise StagingLost("staging_changed", "The file was replaced after its upload was complete. Upload it again.")


def _compare(facts: Received, measured: masters.Measured) -> None:
    if facts.claimed is not None and facts.claimed != measured.sha256:
        raise Rejected(
            "digest_mismatch",
            "The digest differs from the one the uploader sent. The file is damaged: upload it again.",
        )


class _one_at_a_time:  # noqa: N801  used as a context manager, reads as a phrase
    """A PostgreSQL advisory lock on the master's key: of two promotions of the same bytes one copies at a time.

    The authority where the provider has no If-None-Match. It lives as long as its connection, so a worker
    that dies holds nothing.
    """

    def __init__(self, context: Context, key: str) -> None:
        self._open = context.unit_of_work()
        self._number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)

    def __enter__(self) -> None:
        session = self._open.__enter__()
        taken = session.scalar(select(func.pg_try_advisory_xact_lock(self._number)))
        if not taken:
            self._open.__exit__(None, None, None)
            raise Unavailable("same_bytes_in_hand", "The same file is being locked just now; this one waits for it.")
        session.execute(text("set local idle_in_transaction_session_timeout = 0"))

    def __exit__(self, *exc: object) -> None:
        self._open.__exit__(None, None, None)


def _lock(context: Context, job: RunningJob, facts: Received, key: str, measured: masters.Measured) -> masters.Locked:
    job.report(50, "locking")
    until = _retain_until(context)
    locked = masters.read_back(context.storage, key)
    if locked is None:
        if facts.copy_upload_id:
            masters.abort_copy(context.storage, key, facts.copy_upload_id)
        _copy(context, job, facts, key, measured, until)
        locked = masters.read_back(context.storage, key)
    if locked is None:
        raise Unavailable("lock_missing", "The storage shows no lock on the copy; it is tried again.")
    if not masters.holds(context.storage, key, locked, measured):
        raise Unavailable("copy_differs", "The copy in masters is not what was uploaded; nothing was promoted.")
    return masters.strengthen(context.storage, key, locked, mode=context.settings.object_lock_mode, until=until)


def _copy(
    context: Context, job: RunningJob, facts: Received, key: str, measured: masters.Measured, until: datetime
) -> None:
    def begun(upload_id: str) -> None:
        with context.unit_of_work() as session:
            session.get_one(Version, facts.version_id).copy_upload_id = upload_id

    try:
        masters.copy_under_lock(
            context.storage,
            facts.staging_key,
            key,
            measured,
            mode=context.settings.object_lock_mode,
            retain_until=until,
            begun=begun,
            report=lambda share: job.report(50 + int(share * 49)),
        )
    except (Changed, Missing):
        # Also a copy that was aborted meanwhile, or a bucket that is away: only the source itself proves a change.
        _check_staging(context, facts)
        raise Unavailable("copy_failed", "The copy to the archive broke off; it is tried again.") from None


def _retain_until(context: Context) -> datetime:
    days = context.settings.object_lock_default_days
    return (utc_now() + timedelta(days=days)).replace(microsecond=0)
