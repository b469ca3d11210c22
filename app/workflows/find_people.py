"""People, and what an organisation or a project keeps about them, by id, within the walls of the organisation."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.core.errors import NotFound
from app.core.policy import Principal, check, check_organization
from app.models import Client, Collection, Invitation, Membership, Project, User, UserSession
from app.workflows.find import visible_to

_NOTHING = NotFound("not_found", "There is nothing here, or it is not yours to see.")


def find_user(session: Session, principal: Principal, user_id: UUID, action: str) -> User:
    """A person of the principal's organisation. Raises NotFound or Denied."""
    check_organization(principal, action)
    user = session.scalars(
        select(User).where(User.id == user_id, User.organization_id == principal.organization_id)
    ).one_or_none()
    if user is None:
        raise _NOTHING
    return user


def find_invitation(session: Session, principal: Principal, invitation_id: UUID, action: str) -> Invitation:
    """An invitation to the principal's organisation. Raises NotFound or Denied."""
    check_organization(principal, action)
    invitation = session.scalars(
        select(Invitation).where(
            Invitation.id == invitation_id, Invitation.organization_id == principal.organization_id
        )
    ).one_or_none()
    if invitation is None:
        raise _NOTHING
    return invitation


def find_client(session: Session, principal: Principal, client_id: UUID, action: str) -> Client:
    """A client of the principal's organisation. Raises NotFound or Denied."""
    check_organization(principal, action)
    client = session.scalars(
        select(Client).where(Client.id == client_id, Client.organization_id == principal.organization_id)
    ).one_or_none()
    if client is None:
        raise _NOTHING
    return client


def find_membership(session: Session, principal: Principal, membership_id: UUID, action: str) -> Membership:
    """A membership of a project in which the principal may do `action`. Raises NotFound or Denied."""
    membership = session.scalars(
        select(Membership)
        .join(Membership.project)
        .where(Membership.id == membership_id, visible_to(principal))
        .options(joinedload(Membership.project))
    ).one_or_none()
    if membership is None:
        raise _NOTHING
    project = membership.project
    check(principal, action, project_id=project.id, organization_id=project.organization_id)
    return membership


def find_collection(session: Session, principal: Principal, collection_id: UUID, action: str) -> Collection:
    """A collection of a project in which the principal may do `action`. Raises NotFound or Denied."""
    row = session.execute(
        select(Collection, Project)
        .join(Project, Project.id == Collection.project_id)
        .where(Collection.id == collection_id, visible_to(principal))
    ).one_or_none()
    if row is None:
        raise _NOTHING
    collection, project = row
    check(principal, action, project_id=project.id, organization_id=project.organization_id)
    return collection


def find_visit(session: Session, principal: Principal, visit_id: UUID, action: str) -> UserSession:
    """A session of the principal's own. Raises NotFound or Denied."""
    check_organization(principal, action)
    visit = session.scalars(
        select(UserSession).where(UserSession.id == visit_id, UserSession.user_id == principal.user_id)
    ).one_or_none()
    if visit is None:
        raise _NOTHING
    return visit
