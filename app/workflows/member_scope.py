"""The handle that stands in a member's edge tokens."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import signing
from app.core.errors import NotFound
from app.models import MediaScope, Membership, Project, User


def member_scope(session: Session, user_id: UUID, project_id: UUID) -> str:
    """The handle of a member in a project at its present generation, made when there is none.

    Raises NotFound when the person has no role there any more: a request that was let in just before the role
    was taken away must not make a handle that nobody denies.
    """
    current = (
        select(MediaScope.handle)
        .where(MediaScope.user_id == user_id, MediaScope.project_id == project_id, MediaScope.denied_at.is_(None))
        .order_by(MediaScope.generation.desc())
        .limit(1)
    )
    found = session.scalar(current)
    if found is not None:
        return found
    # Whoever changes the person's rights holds this row for update (app.workflows.end_access): what is
    # inserted here is either seen and denied by them, or not made at all.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True))
    generation = select(func.coalesce(func.max(MediaScope.generation), 0) + 1).where(
        MediaScope.user_id == user_id, MediaScope.project_id == project_id
    )
    row = (
        select(
            literal(signing.new_scope("m")).label("handle"),
            User.id,
            Project.id,
            generation.scalar_subquery().label("generation"),
        )
        .select_from(User)
        .join(Project, Project.organization_id == User.organization_id)
        .outerjoin(Membership, (Membership.user_id == User.id) & (Membership.project_id == Project.id))
        .where(
            User.id == user_id,
            Project.id == project_id,
            User.deactivated_at.is_(None),
            or_(User.role == "admin", Membership.id.is_not(None)),
        )
    )
    session.execute(
        insert(MediaScope)
        .from_select(["handle", "user_id", "project_id", "generation"], row)
        .on_conflict_do_nothing(index_elements=["user_id", "project_id", "generation"])
    )
    made = session.scalars(current).one_or_none()
    if made is None:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    return made
