"""What a project's page and the API list: assets, newest first, with their latest version and its work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from app.core.cursor import decode_moment, encode
from app.core.policy import Principal
from app.models import Asset, Comment, Job, Master, Project, Version
from app.workflows.find import visible_to

PAGE = 60


@dataclass(frozen=True)
class Running:
    """The promotion of a version that runs now: at what it is, and how far (per cent)."""

    step: str | None
    progress: int


@dataclass(frozen=True)
class Listed:
    """One asset with its latest version."""

    asset: Asset
    version: Version | None
    running: Running | None
    comments: int


@dataclass(frozen=True)
class Page:
    """Some assets, and the cursor of the next page."""

    items: list[Listed]
    next_cursor: str | None


def list_assets(
    session: Session,
    principal: Principal,
    project_id: UUID | None,
    cursor: str | None,
    *,
    limit: int = PAGE,
    where: ColumnElement[bool] | None = None,
) -> Page:
    """A page of the assets that the principal may see, newest first. Raises Rejected for a bad cursor.

    `where` narrows them further, to a collection for instance.
    """
    query = (
        select(Asset)
        .join(Asset.project)
        .where(visible_to(principal))
        .options(joinedload(Asset.project))
        .order_by(Asset.created_at.desc(), Asset.id.desc())
        .limit(limit + 1)
    )
    if project_id is not None:
        query = query.where(Asset.project_id == project_id)
    if where is not None:
        query = query.where(where)
    if cursor is not None:
        query = query.where(tuple_(Asset.created_at, Asset.id) < tuple_(*decode_moment(cursor)))
    assets = list(session.scalars(query))
    more = assets[limit:]
    assets = assets[:limit]
    latest = _latest(session, [asset.id for asset in assets])
    running = running_promotions(session, [version.id for version in latest.values()])
    counts = _comment_counts(session, [version.id for version in latest.values()])
    items = []
    for asset in assets:
        version = latest.get(asset.id)
        key = version.id if version else None
        items.append(Listed(asset, version, running.get(key) if key else None, counts.get(key, 0) if key else 0))
    return Page(items, encode(assets[-1].created_at, assets[-1].id) if more else None)


def versions_of(session: Session, asset: Asset) -> list[Version]:
    """The versions of an asset, newest first, with what their views need."""
    return list(
        session.scalars(
            select(Version)
            .where(Version.asset_id == asset.id)
            .options(joinedload(Version.master), joinedload(Version.preview), joinedload(Version.uploader))
            .order_by(Version.number.desc())
        )
    )


def running_promotions(session: Session, version_ids: Sequence[UUID]) -> dict[UUID, Running]:
    """The unfinished promotions of some versions."""
    rows = session.execute(
        select(Job.target_id, Job.step, Job.progress).where(
            Job.kind == "promote_version", Job.target_id.in_(version_ids), Job.finished_at.is_(None)
        )
    )
    return {row.target_id: Running(row.step, row.progress) for row in rows if row.target_id}


@dataclass(frozen=True)
class ProjectRow:
    """A project with its numbers."""

    project: Project
    assets: int
    locked_bytes: int


def list_projects(session: Session, principal: Principal) -> list[ProjectRow]:
    """Every project that the principal may see, newest first."""
    projects = session.scalars(
        select(Project)
        .where(visible_to(principal))
        .options(joinedload(Project.client))
        .order_by(Project.created_at.desc())
    ).all()
    numbers = _numbers(session, [project.id for project in projects])
    return [ProjectRow(project, *numbers.get(project.id, (0, 0))) for project in projects]


def project_row(session: Session, project: Project) -> ProjectRow:
    """One project with its numbers."""
    return ProjectRow(project, *_numbers(session, [project.id]).get(project.id, (0, 0)))


def _numbers(session: Session, project_ids: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    rows = session.execute(
        select(
            Asset.project_id,
            func.count(func.distinct(Asset.id)).label("assets"),
            func.coalesce(func.sum(Master.size), 0).label("bytes"),
        )
        .outerjoin(Version, Version.asset_id == Asset.id)
        .outerjoin(Master, Master.id == Version.master_id)
        .where(Asset.project_id.in_(project_ids))
        .group_by(Asset.project_id)
    )
    return {row.project_id: (row.assets, int(row.bytes)) for row in rows}


def _latest(session: Session, asset_ids: Sequence[UUID]) -> dict[UUID, Version]:
    rows = session.scalars(
        select(Version)
        .where(Version.asset_id.in_(asset_ids))
        .distinct(Version.asset_id)
        .order_by(Version.asset_id, Version.number.desc())
        .options(joinedload(Version.preview), joinedload(Version.master))
    )
    return {version.asset_id: version for version in rows}


def _comment_counts(session: Session, version_ids: Sequence[UUID]) -> dict[UUID, int]:
    rows = session.execute(
        select(Comment.version_id, func.count())
        .where(Comment.version_id.in_(version_ids), Comment.deleted_at.is_(None))
        .group_by(Comment.version_id)
    )
    return {row[0]: row[1] for row in rows}
