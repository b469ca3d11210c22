"""The last piece of a build is there: the preview is ready, or gets the new build in place of the old one."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy.orm import Session

from app.core import audit
from app.core.audit import SYSTEM
from app.core.lifecycle import advance
from app.media.plan import Plan
from app.models import Preview, utc_now
from app.workflows.preview_pieces import build_of, made_columns, pieces_of, planned_columns, retire

log = structlog.get_logger(__name__)


def finish_build(session: Session, preview: Preview, build: str) -> None:
    """Say that a complete build is the preview, in the caller's transaction; the row is locked by the caller.

    Who watches the old build goes on watching it: its objects live for another day.
    """
    if build == preview.next_build:
        _replace(session, preview, build)
    elif preview.state == "playable":
        advance(
            session,
            preview,
            "ready",
            actor=SYSTEM,
            organization_id=preview.organization_id,
            values={"progress": 100, "ready_at": utc_now()},
            data={"build": build},
        )
    log.info("preview_ready", build=build)


def _replace(session: Session, preview: Preview, build: str) -> None:
    old, new = preview.build, build_of(session, preview.id, build)
    plan = Plan.from_json(new.plan)
    values: dict[str, Any] = planned_columns(plan, build, new.encoder)
    for piece in pieces_of(session, preview.id, build):
        values |= made_columns(piece.kind, piece.facts or {}, values["probe"])
    values |= {"next_build": None, "next_progress": 0, "progress": 100, "ready_at": utc_now()}
    values["frame_count"] = new.frame_count or plan.frame_count
    for name, value in values.items():
        setattr(preview, name, value)
    retire(session, preview.id, old)
    session.flush()
    audit.record(
        session,
        SYSTEM,
        "preview.replaced",
        organization_id=preview.organization_id,
        target_kind="preview",
        target_id=preview.id,
        data={"build": build, "old": old},
    )
