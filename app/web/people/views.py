"""People as their pages show them, and the roles in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.policy import Principal
from app.models import User

#: (role, word, what it may), the widest last.
PROJECT_ROLES = (
    ("viewer", "Viewer", "Watches, and reads comments"),
    ("reviewer", "Reviewer", "Comments too"),
    ("editor", "Editor", "Uploads, sorts and shares too"),
    ("admin", "Admin", "Manages people and settings too"),
)
ORGANIZATION_ROLES = (
    ("member", "Member", "Sees the projects that they are added to"),
    ("admin", "Admin", "Sees every project, manages people"),
)


@dataclass(frozen=True)
class PersonView:
    """Somebody of the organisation."""

    id: UUID
    name: str
    email: str
    initials: str
    role: str
    active: bool
    mine: bool
    last_seen: datetime | None = None
    projects: int = 0


def person_view(
    principal: Principal, user: User, *, last_seen: datetime | None = None, projects: int = 0
) -> PersonView:
    """A person as their row shows them; `mine` marks one's own."""
    words = user.name.split() or [user.email]
    initials = words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])
    return PersonView(
        id=user.id,
        name=user.name,
        email=user.email,
        initials=initials.upper(),
        role=user.role,
        active=user.deactivated_at is None,
        mine=user.id == principal.user_id,
        last_seen=last_seen,
        projects=projects,
    )
