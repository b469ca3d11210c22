"""Send again what is due and was not heard of: lost messages, ended leases, a Redis that forgot all."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import or_, select, update

from app.core.queue import KINDS
from app.models import Job, utc_now
from app.workflows.context import Context

log = structlog.get_logger(__name__)

#: A message that was sent this long ago while its queue is not empty is still believed to be in it.
PATIENCE = timedelta(minutes=5)
BATCH = 500


def resend_due(context: Context) -> int:
    """Send the messages of due jobs that nobody holds; returns how many. Duplicates are harmless."""
    empty = {kind for kind, description in KINDS.items() if context.sender.waiting(description.queue) in (0, None)}
    now = utc_now()
    with context.unit_of_work() as session:
        due = session.execute(
            select(Job.id, Job.kind)
            .where(Job.finished_at.is_(None), Job.due_at <= now)
            .where(or_(Job.lease_until.is_(None), Job.lease_until < now))
            .where(or_(Job.sent_at.is_(None), Job.sent_at < now - PATIENCE, Job.kind.in_(empty)))
            .order_by(Job.priority, Job.due_at)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        session.execute(update(Job).where(Job.id.in_([row.id for row in due])).values(sent_at=now))
    for row in due:
        context.sender(row.kind, row.id)
    if due:
        log.info("jobs_sent_again", count=len(due))
    return len(due)
