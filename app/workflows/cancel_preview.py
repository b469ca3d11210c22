"""A person stops the building of a preview: every job of it, within a second."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import case, or_, select, update
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.lifecycle import advance
from app.core.policy import Principal, check
from app.models import Job, Preview, User, Version, utc_now
from app.workflows.plan_preview import drop_next
from app.workflows.preview_pieces import retire

CODE = "cancelled"


def cancel_preview(session: Session, principal: Principal, version: Version) -> None:
    """Stop the build of a version's preview, which may be built again; one that is played already stays.

    Raises Denied, and Conflict when nothing is being built.
    """
    project, preview = version.asset.project, version.preview
    check(principal, "preview.build", project_id=project.id, organization_id=project.organization_id)
    if preview is not None:
        session.refresh(preview, with_for_update=True)
    if preview is None or not is_being_built(preview):
        raise Conflict("nothing_is_built", "No preview is being built here; there is nothing to cancel.")
    stop_jobs(session, Job.target_id == preview.id, Job.finished_at.is_(None))
    tell_preview(session, preview, principal.actor, f"Cancelled by {name_of(session, principal)}.", project.id)


def is_being_built(preview: Preview) -> bool:
    """Whether there is anything to cancel."""
    return preview.state in ("pending", "building", "playable") or preview.next_build is not None


def stop_jobs(session: Session, *conditions: object) -> None:
    """End what nobody holds; ask the holder of the rest to stop. Either way the key is free for a new job."""
    now = utc_now()
    free = or_(Job.lease_until.is_(None), Job.lease_until < now)
    session.execute(
        update(Job)
        .where(*conditions)  # type: ignore[arg-type]
        .values(
            cancel_requested=True,
            dedupe_key=None,
            finished_at=case((free, now), else_=Job.finished_at),
            outcome=case((free, "cancelled"), else_=Job.outcome),
            step=case((free, None), else_=Job.step),
        )
        .execution_options(synchronize_session=False)
    )


def tell_preview(
    session: Session, preview: Preview, actor: audit.Actor, reason: str, project_id: UUID | None = None
) -> None:
    """Make a preview tell that its build was cancelled: failed, or still the earlier build."""
    if preview.next_build is not None:
        drop_next(session, preview, actor, CODE, reason)
    elif is_being_built(preview):
        retire(session, preview.id, preview.build)
        advance(
            session,
            preview,
            "failed",
            actor=actor,
            organization_id=preview.organization_id,
            project_id=project_id,
            values={"error_code": CODE, "reason": reason},
            data={"code": CODE},
        )


def name_of(session: Session, principal: Principal) -> str:
    """Who cancels, for the reason that people read."""
    if principal.actor.id is None:
        return "the operator"
    return session.scalar(select(User.name).where(User.id == principal.actor.id)) or "somebody"
