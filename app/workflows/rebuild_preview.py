"""Build a preview again: after a failure, or beside one that is played until the new one is complete."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.ids import random_name
from app.core.lifecycle import advance
from app.core.policy import Principal, check
from app.core.queue import enqueue
from app.models import Preview, Version
from app.workflows.preview_pieces import retire


def rebuild_preview(session: Session, principal: Principal, version: Version) -> None:
    """Order a new build of a version's preview. What is played now stays until the new one is complete.

    Raises Denied, and Conflict while there is no preview, or while it is being built.
    """
    project, preview = version.asset.project, version.preview
    check(principal, "preview.build", project_id=project.id, organization_id=project.organization_id)
    if preview is None:
        raise Conflict("not_promoted", "This version is not promoted yet; its preview is ordered by itself.")
    session.refresh(preview, with_for_update=True)
    if preview.state in ("failed", "unsupported"):
        begin_anew(session, preview, principal.actor, project.id)
    elif preview.state == "ready" and preview.next_build is None:
        _order_next(session, preview, principal.actor, project.id)
    else:
        raise Conflict("preview_is_building", "This preview is being built. Wait for its end, or cancel it first.")


def begin_anew(session: Session, preview: Preview, actor: audit.Actor, project_id: UUID) -> None:
    """Order the first build once more, of a preview that has none to show."""
    retire(session, preview.id, preview.build)
    advance(
        session,
        preview,
        "pending",
        actor=actor,
        organization_id=preview.organization_id,
        project_id=project_id,
        values={"error_code": None, "reason": None, "build": None, "progress": 0, "has_poster": False},
    )
    enqueue(
        session,
        "plan_preview",
        target_id=preview.id,
        organization_id=preview.organization_id,
        dedupe_key=f"plan:{preview.id}",
    )


def _order_next(session: Session, preview: Preview, actor: audit.Actor, project_id: UUID) -> None:
    build = random_name(12)
    preview.next_build, preview.next_progress = build, 0
    preview.error_code = preview.reason = None
    session.flush()
    audit.record(
        session,
        actor,
        "preview.rebuild",
        organization_id=preview.organization_id,
        project_id=project_id,
        target_kind="preview",
        target_id=preview.id,
        data={"build": build},
    )
    enqueue(
        session,
        "plan_preview",
        target_id=preview.id,
        organization_id=preview.organization_id,
        payload={"build": build},
        dedupe_key=f"plan:{preview.id}:{build}",
    )
