"""Who works in a project: add a member, change the role, remove."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, NotFound, Rejected
from app.core.ids import new_id
from app.core.policy import PROJECT_ACTIONS, Principal
from app.models import Membership, Project, User, utc_now
from app.workflows.end_access import end_media, hold_user
from app.workflows.hold import hold


def add_member(session: Session, principal: Principal, project: Project, user: User, role: str) -> Membership:
    """Let a person of the organisation into a project, where the caller has checked `project.manage`.

    Raises NotFound (not of this organisation), Rejected (no such role) or Conflict (deactivated, in already).
    """
    if user.organization_id != project.organization_id:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    _check_role(role)
    hold_user(session, user.id)
    if user.deactivated_at is not None:
        raise Conflict("deactivated", f"{user.name} was deactivated. An admin of the organisation can undo that.")
    added = session.execute(
        insert(Membership)
        .values(id=new_id(), created_at=utc_now(), project_id=project.id, user_id=user.id, role=role)
        .on_conflict_do_nothing(index_elements=["user_id", "project_id"])
        .returning(Membership)
    ).scalar_one_or_none()
    if added is None:
        raise Conflict("member_already", f"{user.name} is in this project already. Change the role instead.")
    _record(session, principal, added, project, "member.added", role=role)
    return added


def change_member_role(session: Session, principal: Principal, membership: Membership, role: str) -> None:
    """Give a member another role, where the caller has checked `project.manage`.

    The signed addresses that they have in this project die; new ones are made on demand. Raises Rejected.
    """
    _check_role(role)
    hold_user(session, membership.user_id)
    hold(session, membership)
    if membership.role == role:
        return
    before, membership.role = membership.role, role
    _record(session, principal, membership, membership.project, "member.role_changed", **{"from": before, "to": role})
    session.flush()
    end_media(session, membership.user_id, project_id=membership.project_id)


def remove_member(session: Session, principal: Principal, membership: Membership) -> None:
    """Take a person out of a project, where the caller has checked `project.manage`; their players stop at once."""
    hold_user(session, membership.user_id)
    hold(session, membership)
    _record(session, principal, membership, membership.project, "member.removed", role=membership.role)
    session.delete(membership)
    session.flush()
    end_media(session, membership.user_id, project_id=membership.project_id)


def _check_role(role: str) -> None:
    if role not in PROJECT_ACTIONS:
        sentence = "Choose one of the four roles."
        raise Rejected("unknown_role", sentence, fields={"role": sentence})


def _record(
    session: Session, principal: Principal, membership: Membership, project: Project, action: str, **data: str
) -> None:
    audit.record(
        session,
        principal.actor,
        action,
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="user",
        target_id=membership.user_id,
        data=data,
    )
