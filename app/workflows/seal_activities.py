"""Give activities their place in the chain of their organisation: a gapless sequence, and the hash (app.core.chain).

Requests write activities without waiting for one another; here one sealer at a time orders them. A row that
commits late stands behind those that were sealed before, whatever its time says: the chain is the order.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.chain import ORIGIN, link
from app.core.database import UnitOfWork
from app.core.heads import Head
from app.models import Activity

log = structlog.get_logger(__name__)

SEALED = Counter("rushes_activities_sealed_total", "Activities that got their place in the chain")
WAITING = Gauge("rushes_activities_unsealed", "Activities that wait for their place in the chain")
BATCH = 500


def seal_activities(unit_of_work: UnitOfWork) -> int:
    """Seal what waits, of every organisation, BATCH rows a transaction; returns how many.

    Harmless to run twice or to kill: a transaction seals its rows or none, and an organisation that another
    sealer has in hand is left to it.
    """
    with unit_of_work() as session:
        waiting = session.execute(
            select(Activity.organization_id, func.count())
            .where(Activity.sequence.is_(None))
            .group_by(Activity.organization_id)
        ).all()
    WAITING.set(sum(count for _organization, count in waiting))
    sealed = 0
    for organization_id, _count in waiting:
        while done := _seal_batch(unit_of_work, organization_id):
            sealed += done
    SEALED.inc(sealed)
    return sealed


def head_of(session: Session, organization_id: UUID) -> Head:
    """The last sealed row; (0, ORIGIN) when there is none."""
    row = session.execute(
        select(Activity.sequence, Activity.hash)
        .where(Activity.organization_id == organization_id, Activity.sequence.is_not(None))
        .order_by(Activity.sequence.desc())
        .limit(1)
    ).one_or_none()
    return Head(row.sequence or 0, row.hash or "") if row else Head(0, ORIGIN)


def _seal_batch(unit_of_work: UnitOfWork, organization_id: UUID) -> int:
    with unit_of_work() as session:
        if not session.scalar(select(func.pg_try_advisory_xact_lock(_lock_number(organization_id)))):
            return 0
        head = head_of(session, organization_id)
        rows = session.scalars(
            select(Activity)
            .where(Activity.organization_id == organization_id, Activity.sequence.is_(None))
            .order_by(Activity.id)
            .limit(BATCH)
        ).all()
        sequence, previous, changes = head.sequence, head.hash, []
        for row in rows:
            sequence += 1
            previous = link(previous, row, sequence)
            changes.append({"id": row.id, "sequence": sequence, "hash": previous})
        if changes:
            session.execute(update(Activity), changes)
        return len(changes)


def _lock_number(organization_id: UUID) -> int:
    digest = hashlib.sha256(b"seal activities\n" + organization_id.bytes).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
