"""Make a project, and change what it is called, for whom it is, and how it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import NotFound
from app.core.names import clean_name
from app.core.policy import Principal
from app.models import Client, Project


@dataclass(frozen=True)
class ProjectSettings:
    """What may be set of a project. `wants_2160` counts for previews that are built from then on."""

    name: str
    client: Client | None = None
    wants_2160: bool = False


def create_project(session: Session, principal: Principal, settings: ProjectSettings) -> Project:
    """A new project of the principal's organisation, where the caller has checked `projects.create`.

    Raises Rejected (name) or NotFound (client of another organisation).
    """
    _check_client(principal, settings.client)
    project = Project(
        organization_id=principal.organization_id,
        name=clean_name(settings.name, "project"),
        client_id=settings.client.id if settings.client else None,
        wants_2160=settings.wants_2160,
    )
    session.add(project)
    session.flush()
    _record(session, principal, project, "project.created", {"name": project.name})
    return project


def change_project(session: Session, principal: Principal, project: Project, settings: ProjectSettings) -> bool:
    """Apply what is set, where the caller has checked `project.manage`; one activity for each thing that changed.

    Returns whether anything changed. Raises Rejected (name) or NotFound (client of another organisation).
    """
    _check_client(principal, settings.client)
    name = clean_name(settings.name, "project")
    client_id = settings.client.id if settings.client else None
    changes: dict[str, dict[str, Any]] = {}
    if name != project.name:
        changes["project.renamed"] = {"from": project.name, "to": name}
    if client_id != project.client_id:
        changes["project.client_changed"] = {"client": settings.client.name if settings.client else None}
    if settings.wants_2160 != project.wants_2160:
        changes["project.2160_changed"] = {"wanted": settings.wants_2160}
    project.name, project.client_id, project.wants_2160 = name, client_id, settings.wants_2160
    session.flush()
    for action, data in changes.items():
        _record(session, principal, project, action, data)
    return bool(changes)


def _check_client(principal: Principal, client: Client | None) -> None:
    if client is not None and client.organization_id != principal.organization_id:
        raise NotFound("not_found", "There is no such client in your organisation.")


def _record(session: Session, principal: Principal, project: Project, action: str, data: dict[str, Any]) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="project",
        target_id=project.id,
        data=data,
    )
