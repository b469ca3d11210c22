"""Delete what lies in staging of an upload that is promoted or rejected: the janitor's work."""

from __future__ import annotations

from sqlalchemy import select

from app.core import keys
from app.core.errors import Conflict
from app.core.storage import Missing, translated
from app.models import Version
from app.workflows.context import Context
from app.workflows.run_job import RunningJob


def clean_staging(context: Context, job: RunningJob) -> None:
    """Delete the staged object of upload `target_id`. Raises Conflict while its version still needs it."""
    with context.unit_of_work() as session:
        state = session.scalar(select(Version.state).where(Version.upload_id == job.target_id))
    if state is not None and state not in ("promoted", "rejected"):
        raise Conflict("still_needed", "The version is not settled yet.")
    try:
        with translated("cleaning staging"):
            context.storage["janitor"].delete_object(
                Bucket=context.storage.bucket("staging"), Key=keys.staging(job.target_id)
            )
    except Missing:
        pass
