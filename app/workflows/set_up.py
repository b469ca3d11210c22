"""Found an instance: the organisation, its first admin, a demo project, a token for programs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.passwords import hash_password, hash_token, new_token
from app.models import ApiToken, Organization, Project, User


@dataclass(frozen=True)
class SetUp:
    """What was founded. `api_token` is only known when it is new."""

    organization_id: UUID
    user_id: UUID
    project_id: UUID
    api_token: str | None


def set_up(session: Session, *, email: str, password: str, organization: str) -> SetUp:
    """Found the organisation unless the person is there already; then return what is there.

    The only organisation, when it has nobody, is adopted: so it is after `rebuild_catalogue`.
    """
    user = session.scalars(select(User).where(func.lower(User.email) == email.lower())).one_or_none()
    if user is not None:
        project_id = session.scalars(
            select(Project.id).where(Project.organization_id == user.organization_id).order_by(Project.created_at)
        ).first()
        return SetUp(user.organization_id, user.id, project_id or _project(session, user).id, None)
    house = _deserted(session) or Organization(name=organization)
    session.add(house)
    session.flush()
    user = User(
        organization_id=house.id,
        email=email,
        name=email.partition("@")[0].replace(".", " ").title(),
        role="admin",
        password_hash=hash_password(password),
    )
    session.add(user)
    session.flush()
    token = new_token()
    session.add(
        ApiToken(organization_id=house.id, user_id=user.id, name="made at set-up", token_hash=hash_token(token))
    )
    project = session.scalars(
        select(Project).where(Project.organization_id == house.id).order_by(Project.created_at).limit(1)
    ).one_or_none()
    return SetUp(house.id, user.id, (project or _project(session, user)).id, token)


def _deserted(session: Session) -> Organization | None:
    houses = session.scalars(select(Organization).limit(2)).all()
    if len(houses) != 1 or session.scalar(select(User.id).where(User.organization_id == houses[0].id).limit(1)):
        return None
    return houses[0]


def _project(session: Session, user: User) -> Project:
    project = Project(organization_id=user.organization_id, name="Demo")
    session.add(project)
    session.flush()
    audit.record(
        session,
        audit.SYSTEM,
        "project.created",
        organization_id=user.organization_id,
        project_id=project.id,
        target_kind="project",
        target_id=project.id,
        data={"name": project.name},
    )
    return project
