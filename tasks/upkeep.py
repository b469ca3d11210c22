"""What the scheduler sends by the clock."""

from __future__ import annotations

import dramatiq
from periodiq import cron

from app.workflows.abort_upload import expire_uploads as _expire_uploads
from app.workflows.resend_due import resend_due as _resend_due
from tasks.middleware import context


@dramatiq.actor(queue_name="upkeep", periodic=cron("* * * * *"))
def resend_due() -> None:
    """Each minute: jobs whose message or worker was lost."""
    _resend_due(context())


@dramatiq.actor(queue_name="upkeep", periodic=cron("17 * * * *"))
def expire_uploads() -> None:
    """Each hour: uploads that nobody has continued for a week."""
    _expire_uploads(context())
