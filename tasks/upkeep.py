"""What the scheduler sends by the clock."""

from __future__ import annotations

import dramatiq
from periodiq import cron

from app.core.heads import LockFor
from app.workflows.abort_upload import expire_uploads as _expire_uploads
from app.workflows.answer_once import forget_answers as _forget_answers
from app.workflows.back_up import back_up as _back_up
from app.workflows.delete_builds import delete_builds as _delete_builds
from app.workflows.publish_heads import publish_heads as _publish_heads
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


@dramatiq.actor(queue_name="upkeep", periodic=cron("37 * * * *"))
def delete_builds() -> None:
    """Each hour: builds of previews that were replaced or given up a day ago."""
    _delete_builds(context())


@dramatiq.actor(queue_name="upkeep", periodic=cron("53 * * * *"))
def forget_answers() -> None:
    """Each hour: answers under Idempotency-Keys of yesterday."""
    _forget_answers(context())


@dramatiq.actor(queue_name="upkeep", periodic=cron("41 * * * *"))
def publish_heads() -> None:
    """Each hour: the heads of the activity logs, to docs under lock."""
    here = context()
    lock = LockFor(here.settings.object_lock_mode, here.settings.object_lock_default_days)
    _publish_heads(here.unit_of_work, here.storage, lock)


@dramatiq.actor(queue_name="upkeep", periodic=cron("23 2 * * *"))
def back_up() -> None:
    """Each night: the database into the backups bucket."""
    here = context()
    _back_up(here.unit_of_work, here.storage, here.settings.database_url.get_secret_value())
