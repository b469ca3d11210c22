"""Each hour: write the head of every activity log to docs under lock, unless it contradicts the last one there."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Gauge
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import heads
from app.core.database import UnitOfWork
from app.core.heads import Head, LockFor, Published
from app.core.storage import Changed, Storage
from app.models import Activity, Organization, utc_now
from app.workflows.seal_activities import head_of

log = structlog.get_logger(__name__)

BROKEN = Gauge("rushes_audit_broken", "Organisations whose log contradicts its published head")


def publish_heads(unit_of_work: UnitOfWork, storage: Storage, lock: LockFor) -> list[UUID]:
    """Publish every head that is new; returns the organisations whose log contradicts what was published.

    Of these nothing more is published until somebody has looked. Raises Unavailable; doing it twice is harmless.
    """
    with unit_of_work() as session:
        organizations = session.scalars(select(Organization.id)).all()
    broken = [each for each in organizations if not _publish(unit_of_work, storage, lock, each)]
    BROKEN.set(len(broken))
    return broken


def hash_at(session: Session, organization_id: UUID, sequence: int) -> str | None:
    """The hash that the row at `sequence` bears."""
    return session.scalar(
        select(Activity.hash).where(Activity.organization_id == organization_id, Activity.sequence == sequence)
    )


def _publish(unit_of_work: UnitOfWork, storage: Storage, lock: LockFor, organization_id: UUID) -> bool:
    last = heads.read(storage, organization_id)
    with unit_of_work() as session:
        head = head_of(session, organization_id)
        contradicted = last is not None and hash_at(session, organization_id, last.sequence) != last.hash
    if contradicted:
        return _complain(organization_id, head)
    if head.sequence == 0:
        return True
    if last is None or last.sequence != head.sequence:
        return _write(storage, organization_id, head, last, lock)
    if last.locked_until and last.locked_until < utc_now() + timedelta(days=lock.days) / 2:
        # Nothing was added for long: the lock goes on, so that there always is a locked head.
        heads.write_latest(storage, organization_id, heads.extend(storage, organization_id, last, lock))
    return True


def _write(storage: Storage, organization_id: UUID, head: Head, last: Published | None, lock: LockFor) -> bool:
    previous = Head(last.sequence, last.hash) if last else None
    plain = Published(head.sequence, head.hash, utc_now(), previous, None, None)
    try:
        published = heads.write_once(storage, organization_id, plain, lock)
    except Changed:  # an earlier run was cut off after this write
        there = heads.read(storage, organization_id, head.sequence)
        if there is None or there.hash != head.hash:
            return _complain(organization_id, head)
        published = there
    heads.write_latest(storage, organization_id, published)
    said = {"organization_id": str(organization_id), "sequence": head.sequence, "hash": head.hash}
    if published.locked_until is None:
        log.warning("audit_head_not_locked", reason="the docs bucket was made without Object Lock", **said)
    else:
        log.info("audit_head_published", **said)
    return True


def _complain(organization_id: UUID, head: Head) -> bool:
    log.error("audit_contradicts_head", organization_id=str(organization_id), sequence=head.sequence)
    return False
