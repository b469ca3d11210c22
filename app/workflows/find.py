"""Rows by id, as far as the principal may see them. Every list and every look-up goes through `visible_to`."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.orm import Session, joinedload

from app.core.errors import NotFound
from app.core.policy import Principal, check
from app.models import ApiToken, Asset, Comment, Membership, Project, Share, Upload, Version

_NOTHING = NotFound("not_found", "There is nothing here, or it is not yours to see.")


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """The condition on `projects` that everything which a principal is shown must meet."""
    if principal.share is not None:
        return false()  # guests see the assets of their share (find_shared.py), never a project
    inside = Project.organization_id == principal.organization_id
    if principal.organization_role == "admin":
        return and_(inside, true())
    mine = select(Membership.project_id).where(Membership.user_id == principal.user_id)
    return and_(inside, Project.id.in_(mine))


def find_project(session: Session, principal: Principal, project_id: UUID, action: str) -> Project:
    """A project in which the principal may do `action`. Raises NotFound or Denied."""
    project = session.scalars(select(Project).where(Project.id == project_id, visible_to(principal))).one_or_none()
    if project is None:
        raise _NOTHING
    _check(principal, action, project)
    return project


def find_asset(session: Session, principal: Principal, asset_id: UUID, action: str) -> Asset:
    """An asset in whose project the principal may do `action`. Raises NotFound or Denied."""
    asset = session.scalars(
        select(Asset)
        .join(Asset.project)
        .where(Asset.id == asset_id, visible_to(principal))
        .options(joinedload(Asset.project))
    ).one_or_none()
    if asset is None:
        raise _NOTHING
    _check(principal, action, asset.project)
    return asset


def find_version(session: Session, principal: Principal, version_id: UUID, action: str) -> Version:
    """A version in whose project the principal may do `action`. Raises NotFound or Denied."""
    version = session.scalars(
        select(Version)
        .join(Version.asset)
        .join(Asset.project)
        .where(Version.id == version_id, visible_to(principal))
        .options(joinedload(Version.asset).joinedload(Asset.project), joinedload(Version.preview))
    ).one_or_none()
    if version is None:
        raise _NOTHING
    _check(principal, action, version.asset.project)
    return version


def find_upload(session: Session, principal: Principal, upload_id: UUID) -> Upload:
    """An upload that the principal began, or any of a project whose admin they are. Raises NotFound or Denied."""
    row = session.execute(
        select(Upload, Project)
        .join(Project, Project.id == Upload.project_id)
        .where(Upload.id == upload_id, visible_to(principal))
    ).one_or_none()
    if row is None:
        raise _NOTHING
    upload, project = row
    _check(principal, "upload.change_own" if upload.user_id == principal.user_id else "upload.change_any", project)
    return upload


def find_comment(session: Session, principal: Principal, comment_id: UUID, *, change: bool = False) -> Comment:
    """A comment that the principal may see, or change when `change` is set. Raises NotFound or Denied."""
    row = session.execute(
        select(Comment, Project)
        .join(Asset, Asset.id == Comment.asset_id)
        .join(Asset.project)
        .where(Comment.id == comment_id, Comment.deleted_at.is_(None), visible_to(principal))
    ).one_or_none()
    if row is None:
        raise _NOTHING
    comment, project = row
    mine = principal.wrote(comment.author_id, comment.guest_id)
    _check(principal, ("comment.change_own" if mine else "comment.change_any") if change else "comment.view", project)
    return comment


def find_token(session: Session, principal: Principal, token_id: UUID) -> ApiToken:
    """A token of the principal's own. Raises NotFound."""
    token = session.scalars(
        select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == principal.user_id)
    ).one_or_none()
    if token is None:
        raise _NOTHING
    return token


def find_share(session: Session, principal: Principal, share_id: UUID, action: str) -> Share:
    """A share in whose project the principal may do `action`. Raises NotFound or Denied."""
    share = session.scalars(
        select(Share)
        .join(Share.project)
        .where(Share.id == share_id, visible_to(principal))
        .options(joinedload(Share.project))
    ).one_or_none()
    if share is None:
        raise _NOTHING
    _check(principal, action, share.project)
    return share


def _check(principal: Principal, action: str, project: Project) -> None:
    check(principal, action, project_id=project.id, organization_id=project.organization_id)
