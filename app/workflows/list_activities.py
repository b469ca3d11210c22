"""Who did what in a project or in the whole organisation, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from app.core import cursor as cursors
from app.models import Activity
from app.workflows.subjects import Key, Subject, actors_of, subjects_of

PAGE = 50
#: What people may look for → the nouns of the actions that belong to it.
KINDS: Mapping[str, tuple[str, ...]] = {
    "masters": ("upload", "version", "master"),
    "previews": ("preview",),
    "comments": ("comment",),
    "shares": ("share",),
    "people": ("person", "member", "invitation", "session", "password", "token", "personal"),
    "project": ("project", "asset", "collection", "client"),
    "jobs": ("job",),
}


@dataclass(frozen=True)
class Listed:
    """One activity with the names that it is told by. `people` holds the personal fields, None where erased."""

    row: Activity
    actor: str | None
    subject: Subject | None
    project: str | None
    people: Mapping[str, Any] | None


@dataclass(frozen=True)
class Page:
    """Some activities, and the cursor of the next page."""

    items: list[Listed]
    next_cursor: str | None


def list_activities(
    session: Session,
    organization_id: UUID,
    *,
    project_id: UUID | None = None,
    kind: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page:
    """A page of activities, where the caller has checked `activity.view` there or `audit.view`.

    `kind` is a name of KINDS; another one lists all. Raises Rejected for a bad cursor.
    """
    query = (
        select(Activity)
        .where(Activity.organization_id == organization_id)
        .options(joinedload(Activity.people))
        .order_by(Activity.created_at.desc(), Activity.id.desc())
        .limit(limit + 1)
    )
    if project_id is not None:
        query = query.where(Activity.project_id == project_id)
    nouns = KINDS.get(kind or "")
    if nouns:
        query = query.where(or_(*(Activity.action.startswith(f"{noun}.") for noun in nouns)))
    if cursor is not None:
        query = query.where(tuple_(Activity.created_at, Activity.id) < tuple_(*cursors.decode_moment(cursor)))
    rows = list(session.scalars(query))
    page = rows[:limit]
    return Page(_named(session, page), cursors.encode(page[-1].created_at, page[-1].id) if len(rows) > limit else None)


def _named(session: Session, rows: list[Activity]) -> list[Listed]:
    about = {(row.target_kind, row.target_id) for row in rows if row.target_id}
    subjects = subjects_of(session, [(kind, key) for kind, key in about if key])
    # What happens to a preview belongs to no project of its own: two projects may share one.
    homes = {row.id: row.project_id or _home(subjects, row) for row in rows}
    projects = subjects_of(session, {("project", home) for home in homes.values() if home})
    actors = actors_of(session, [(row.actor_kind, row.actor_id) for row in rows if row.actor_id])
    listed = []
    for row in rows:
        home = homes[row.id]
        project = projects.get(("project", home)) if home else None
        listed.append(
            Listed(
                row,
                actors.get((row.actor_kind, row.actor_id)) if row.actor_id else None,
                subjects.get((row.target_kind, row.target_id)) if row.target_id else None,
                project.text if project else None,
                row.people.data if row.people else None,
            )
        )
    return listed


def _home(subjects: Mapping[Key, Subject], row: Activity) -> UUID | None:
    subject = subjects.get((row.target_kind, row.target_id)) if row.target_id else None
    return subject.project_id if subject else None
