"""Who may do what: one table, checked at every server boundary by one function.

An action is `noun.verb`. Members, API tokens and guests of a share are principals of the same table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
_ACCOUNT = frozenset({"projects.list", "account.own", "token.manage"})
#: Role in the organisation → actions outside of any project.
ORGANIZATION_ACTIONS: Mapping[str, frozenset[str]] = {
    "member": _ACCOUNT,
    "admin": _ACCOUNT
    | {"projects.create", "people.manage", "clients.manage", "jobs.view", "jobs.change", "audit.view"},
}
#: What a share lets its guests do → actions on its assets, and on nothing else of the project.
GUEST_ACTIONS: Mapping[str, frozenset[str]] = {
    "watch": frozenset({"share.open", "asset.view", "preview.view"}),
    "comment": frozenset({"comment.view", "comment.create", "comment.change_own"}),
    "proxy": frozenset({"proxy.download"}),
    "master": frozenset({"proxy.download", "master.download"}),
}
ALL_ACTIONS = _ADMIN | ORGANIZATION_ACTIONS["admin"] | frozenset().union(*GUEST_ACTIONS.values())

#: What an API token may be made for → the actions that it may do, of those that its owner may.
TOKEN_SCOPES: Mapping[str, frozenset[str]] = {
    "read": _VIEW | {"projects.list", "share.view", "activity.view"},
    "upload": frozenset(
        {
            "projects.list",
            "project.view",
            "upload.create",
            "upload.change_own",
            "upload.change_any",
            "version.promote",
            "version.retry",
            "preview.build",
        }
    ),
    "comment": frozenset({"comment.view", "comment.create", "comment.change_own", "comment.change_any"}),
}
#: A program must not make itself another key, or a person: expiry and revocation would mean nothing.
NEVER_BY_TOKEN = frozenset({"token.manage", "account.own", "people.manage"})


@dataclass(frozen=True)
class ShareGrant:
    """By which share a guest comes, and what it lets them do (names of GUEST_ACTIONS)."""

    share_id: UUID
    project_id: UUID
    generation: int
    lets: frozenset[str]
    expires_at: datetime | None = None

    def allows(self, action: str) -> bool:
        """Does the table allow `action` on the assets of the share?"""
        return any(action in GUEST_ACTIONS[name] for name in self.lets)


@dataclass(frozen=True)
class Principal:
    """Who asks. An admin of the organisation is admin of every project of it.

    A guest has a `share` and no role: every look-up by project finds nothing for them.
    """

    actor: Actor
    organization_id: UUID
    organization_role: str
    project_roles: Mapping[UUID, str] = field(default_factory=dict)
    #: Scopes of the API token by which it comes; None where nothing narrows what the person may do.
    scopes: frozenset[str] | None = None
    share: ShareGrant | None = None

    @property
    def user_id(self) -> UUID:
        """The person behind it: the member, or the owner of the token."""
        if self.actor.id is None or self.share is not None:
            raise LookupError("the system and guests are no persons of the house")
        return self.actor.id

    def wrote(self, author_id: UUID | None, guest_id: UUID | None) -> bool:
        """Is a comment by this member or this guest one's own?"""
        if self.share is not None:
            return guest_id is not None and guest_id == self.actor.id
        return author_id is not None and author_id == self.user_id

    def role_in(self, project_id: UUID, organization_id: UUID) -> str | None:
        """The role in a project of `organization_id`; None for a stranger and for a guest."""
        if self.share is not None or organization_id != self.organization_id:
            return None
        if self.organization_role == "admin":
            return "admin"
        return self.project_roles.get(project_id)


def in_scope(principal: Principal, action: str) -> bool:
    """May the caller's key be used for `action` at all? A person signed in has no such limit."""
    if principal.actor.kind == "token" and action in NEVER_BY_TOKEN:
        return False
    if principal.scopes is None:
        return True
    return any(action in TOKEN_SCOPES.get(scope, frozenset()) for scope in principal.scopes)


def check_scope(principal: Principal, action: str) -> None:
    """Raise Denied when the caller's API token was not made for `action`."""
    if not in_scope(principal, action):
        wanted = " or ".join(f"“{scope}”" for scope, actions in TOKEN_SCOPES.items() if action in actions)
        instead = f"Make one with the scope {wanted}." if wanted else "Sign in, or use a token with the scope “all”."
        raise Denied("token_scope", f"This API token was not made for this. {instead}")


def may(principal: Principal, action: str, *, project_id: UUID, organization_id: UUID) -> bool:
    """Does the table allow `action` in that project, and the scope of the caller's token too?"""
    role = principal.role_in(project_id, organization_id)
    return role is not None and action in PROJECT_ACTIONS[role] and in_scope(principal, action)


def check(principal: Principal, action: str, *, project_id: UUID, organization_id: UUID) -> None:
    """Raise NotFound to whom the project is invisible, Denied to whom it is visible but not allowed."""
    if principal.role_in(project_id, organization_id) is None:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    check_scope(principal, action)
    if not may(principal, action, project_id=project_id, organization_id=organization_id):
        raise Denied("not_allowed", "Your role in this project does not allow this. Ask an admin of the project.")


def check_organization(principal: Principal, action: str) -> None:
    """Raise Denied when the principal's role in the organisation or its token does not allow `action`."""
    check_scope(principal, action)
    if action not in ORGANIZATION_ACTIONS[principal.organization_role]:
        raise Denied("not_allowed", "Only an admin of the organisation may do this.")
