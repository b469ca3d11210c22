"""A page of the projects that somebody may see."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, joinedload

from app.core.cursor import decode_moment, encode
from app.core.policy import Principal
from app.models import Project
from app.workflows.find import visible_to


@dataclass(frozen=True)
class ProjectsPage:
    """Some projects, and the cursor of the next page."""

    items: list[Project]
    next_cursor: str | None


def page_projects(session: Session, principal: Principal, cursor: str | None, *, limit: int) -> ProjectsPage:
    """The projects behind `cursor`, newest first. Raises Rejected for a bad cursor."""
    query = (
        select(Project)
        .where(visible_to(principal))
        .options(joinedload(Project.client))
        .order_by(Project.created_at.desc(), Project.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(Project.created_at, Project.id) < tuple_(*decode_moment(cursor)))
    found = list(session.scalars(query))
    items = found[:limit]
    return ProjectsPage(items, encode(items[-1].created_at, items[-1].id) if len(found) > limit else None)
