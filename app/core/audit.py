"""Append to the activity log, in the transaction of the act. Rows are sealed into the hash chain later.

Personal fields (address, user agent, what was watched) go into a row of their own that may be erased; the
activity holds a salted digest of them (app.core.chain). Where a session's `info` has a "visitor", a function
that tells from where the present request comes, every activity of the session gets those fields.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.chain import people_digest
from app.models.activity import Activity, ActivityPeople

#: Tells the personal fields of whoever acts now: {"ip", "userAgent"}; empty when nobody does.
Visitor = Callable[[], Mapping[str, Any]]


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
    people: Mapping[str, Any] | None = None,
) -> None:
    """Add one activity. `action` is `noun.verb` ("version.promoted").

    `data` must hold no personal field and no fraction; `people` holds the personal ones, besides those of the
    session's visitor.
    """
    visitor: Visitor | None = session.info.get("visitor")
    fields = {**(visitor() if visitor else {}), **(people or {})}
    activity = Activity(
        organization_id=organization_id,
        project_id=project_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=action,
        target_kind=target_kind,
        target_id=target_id,
        data=dict(data or {}),
    )
    if fields:
        salt = secrets.token_hex(16)
        activity.people_digest = people_digest(salt, fields)
        activity.people = ActivityPeople(salt=salt, data=fields)
    session.add(activity)
