"""Who is in the organisation and in its projects, and who was invited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from app.models import ApiToken, Client, Invitation, Membership, Project, User, UserSession, utc_now

#: How long a browser stays signed in that nobody uses; the cookie lives as long.
SESSION_LIFE = timedelta(days=14)


@dataclass(frozen=True)
class Person:
    """Somebody of the organisation. `last_seen` is exact to some minutes; None for never."""

    user: User
    last_seen: datetime | None
    projects: int


@dataclass(frozen=True)
class Invited:
    """An invitation that still works."""

    invitation: Invitation
    by: str
    project: str | None


@dataclass(frozen=True)
class Member:
    """Somebody in a project."""

    membership: Membership
    user: User


def list_people(session: Session, organization_id: UUID) -> list[Person]:
    """Everybody of an organisation, the active first, by name."""
    browsers = select(func.max(UserSession.last_seen_at)).where(UserSession.user_id == User.id)
    programs = select(func.max(ApiToken.last_used_at)).where(ApiToken.user_id == User.id)
    projects = select(func.count()).select_from(Membership).where(Membership.user_id == User.id)
    rows = session.execute(
        select(
            User,
            func.greatest(browsers.scalar_subquery(), programs.scalar_subquery()),
            projects.scalar_subquery(),
        )
        .where(User.organization_id == organization_id)
        .order_by(User.deactivated_at.is_not(None), func.lower(User.name), User.id)
    )
    return [Person(user, seen, count) for user, seen, count in rows]


def list_invitations(session: Session, organization_id: UUID) -> list[Invited]:
    """The invitations that somebody may still use, newest first."""
    by = aliased(User)
    rows = session.execute(
        select(Invitation, by.name, Project.name)
        .join(by, by.id == Invitation.invited_by)
        .outerjoin(Project, Project.id == Invitation.project_id)
        .where(
            Invitation.organization_id == organization_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            Invitation.expires_at > utc_now(),
        )
        .order_by(Invitation.created_at.desc())
    )
    return [Invited(invitation, name, project) for invitation, name, project in rows]


def list_members(session: Session, project_id: UUID) -> list[Member]:
    """Who has a role in a project, by name; the deactivated last."""
    rows = session.execute(
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.project_id == project_id)
        .order_by(User.deactivated_at.is_not(None), func.lower(User.name), User.id)
    )
    return [Member(membership, user) for membership, user in rows]


def list_admins(session: Session, organization_id: UUID) -> Sequence[User]:
    """The active admins of an organisation: they see every project."""
    return session.scalars(
        select(User)
        .where(User.organization_id == organization_id, User.role == "admin", User.deactivated_at.is_(None))
        .order_by(func.lower(User.name), User.id)
    ).all()


def list_candidates(session: Session, project: Project) -> Sequence[User]:
    """Active members of the organisation who have no role in the project yet. Admins need none."""
    inside = exists().where(Membership.user_id == User.id, Membership.project_id == project.id)
    return session.scalars(
        select(User)
        .where(
            User.organization_id == project.organization_id,
            User.deactivated_at.is_(None),
            User.role == "member",
            ~inside,
        )
        .order_by(func.lower(User.name), User.id)
    ).all()


def count_members(session: Session, project_id: UUID) -> int:
    """How many people have a role in a project."""
    return session.scalars(select(func.count()).where(Membership.project_id == project_id)).one()


def list_visits(session: Session, user_id: UUID) -> Sequence[UserSession]:
    """The browsers in which a person is signed in, the last seen first."""
    return session.scalars(
        select(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.last_seen_at > utc_now() - SESSION_LIFE,
        )
        .order_by(UserSession.last_seen_at.desc(), UserSession.id)
    ).all()


def list_clients(session: Session, organization_id: UUID) -> list[tuple[Client, int]]:
    """The clients of an organisation by name, with the number of their projects."""
    rows = session.execute(
        select(Client, func.count(Project.id))
        .outerjoin(Project, Project.client_id == Client.id)
        .where(Client.organization_id == organization_id)
        .group_by(Client.id)
        .order_by(func.lower(Client.name))
    )
    return [(client, count) for client, count in rows]
