"""Order the preview of promoted bytes."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.policy import Principal, check
from app.core.queue import enqueue
from app.models import Version
from app.workflows.retry_version import retry_version


def order_preview(session: Session, principal: Principal, version: Version) -> None:
    """Make sure that a preview is there, being built, or begun again after a failure.

    Raises Denied where the principal may not, Conflict when the version is not promoted.
    """
    project = version.asset.project
    check(principal, "preview.build", project_id=project.id, organization_id=project.organization_id)
    if version.preview is None:
        raise Conflict("not_promoted", "This version is not promoted yet; its preview is ordered by itself.")
    if version.preview.state == "failed":
        retry_version(session, principal, version)
    elif version.preview.state == "pending":
        enqueue(
            session,
            "plan_preview",
            target_id=version.preview.id,
            organization_id=project.organization_id,
            dedupe_key=f"plan:{version.preview.id}",
        )
