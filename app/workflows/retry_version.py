"""A person asks again for what has failed."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.lifecycle import advance
from app.core.policy import Principal
from app.core.queue import enqueue
from app.models import Version
from app.workflows.rebuild_preview import begin_anew


def retry_version(session: Session, principal: Principal, version: Version) -> None:
    """Order a failed promotion, or a failed preview, once more. Raises Conflict when nothing has failed."""
    project = version.asset.project
    preview = version.preview
    if version.state == "failed":
        advance(
            session,
            version,
            "received",
            actor=principal.actor,
            organization_id=project.organization_id,
            project_id=project.id,
            values={"error_code": None, "error": None},
        )
        ordered = enqueue(
            session,
            "promote_version",
            target_id=version.id,
            organization_id=project.organization_id,
            dedupe_key=f"promote:{version.id}",
        )
        if ordered is None:
            raise Conflict("still_ending", "The last try is just ending. Try again in a moment.")
    elif preview is not None and preview.state == "failed":
        begin_anew(session, preview, principal.actor, project.id)
    else:
        raise Conflict("nothing_failed", "Nothing of this version has failed; there is nothing to try again.")
