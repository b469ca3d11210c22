"""Who may do what: one table, checked at every server boundary by one function.

An action is `noun.verb`. Members, API tokens and (later) guests are principals of the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from app.core.audit import Actor
from app.core.errors import Denied, NotFound

ProjectRole = Literal["admin", "editor", "reviewer", "viewer"]

_VIEW = frozenset({"project.view", "asset.view", "comment.view", "preview.view"})
_REVIEW = _VIEW | {"comment.create", "comment.change_own"}
_EDIT = (
    _REVIEW
    | {"upload.create", "upload.change_own", "version.promote", "version.retry", "preview.build"}
    | {
        "asset.change",
        "collection.change",
        "activity.view",
        "share.view",
        "share.create",
        "share.change",
        "master.download",
    }
)
_ADMIN = _EDIT | {"comment.change_any", "upload.change_any", "project.manage"}

#: Role in a project → actions there.
PROJECT_ACTIONS: Mapping[str, frozenset[str]] = {
    "viewer": _VIEW,
    "reviewer": _REVIEW,
    "editor": _EDIT,
    "admin": _ADMIN,
}
_ACCOUNT = frozenset({"projects.list", "account.own"})
#: Role in the organisation → actions outside of any project.
ORGANIZATION_ACTIONS: Mapping[str, frozenset[str]] = {
    "member": _ACCOUNT,
    "admin": _ACCOUNT
    | {"projects.create", "people.manage", "clients.manage", "jobs.view", "jobs.change", "audit.view"},
}
ALL_ACTIONS = _ADMIN | ORGANIZATION_ACTIONS["admin"]


@dataclass(frozen=True)
class Principal:
    """Who asks. An admin of the organisation is admin of every project of it."""

    actor: Actor
    organization_id: UUID
    organization_role: str
    project_roles: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def user_id(self) -> UUID:
        """The person behind it: the member, or the owner of the token."""
        if self.actor.id is None:
            raise LookupError("the system is nobody's principal")
        return self.actor.id

    def role_in(self, project_id: UUID, organization_id: UUID) -> str | None:
        """The role in a project of `organization_id`; None for a stranger."""
        if organization_id != self.organization_id:
            return None
        if self.organization_role == "admin":
            return "admin"
        return self.project_roles.get(project_id)


def may(principal: Principal, action: str, *, project_id: UUID, organization_id: UUID) -> bool:
    """Does the table allow `action` in that project?"""
    role = principal.role_in(project_id, organization_id)
    return role is not None and action in PROJECT_ACTIONS[role]


def check(principal: Principal, action: str, *, project_id: UUID, organization_id: UUID) -> None:
    """Raise NotFound to whom the project is invisible, Denied to whom it is visible but not allowed."""
    if principal.role_in(project_id, organization_id) is None:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    if not may(principal, action, project_id=project_id, organization_id=organization_id):
        raise Denied("not_allowed", "Your role in this project does not allow this. Ask an admin of the project.")


def check_organization(principal: Principal, action: str) -> None:
    """Raise Denied when the principal's role in the organisation does not allow `action`."""
    if action not in ORGANIZATION_ACTIONS[principal.organization_role]:
        raise Denied("not_allowed", "Only an admin of the organisation may do this.")
