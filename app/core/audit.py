"""Append to the activity log, in the transaction of the act. Rows are sealed into the hash chain later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.models.activity import Activity


@dataclass(frozen=True)
class Actor:
    """Who acts: a member, a program with a token, a guest, or the system itself."""

    kind: Literal["user", "token", "guest", "system"]
    id: UUID | None = None


SYSTEM = Actor("system")


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    organization_id: UUID,
    target_kind: str,
    target_id: UUID | None,
    project_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Add one activity. `action` is `noun.verb` ("version.promoted"); `data` must hold no personal field."""
    session.add(
        Activity(
            organization_id=organization_id,
            project_id=project_id,
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            target_kind=target_kind,
            target_id=target_id,
            data=dict(data or {}),
        )
    )
