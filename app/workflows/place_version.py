"""Make a complete upload a version of an asset and order its promotion."""

from __future__ import annotations

import re
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict, Rejected
from app.core.policy import Principal
from app.core.queue import enqueue
from app.models import Asset, Collection, Upload, Version
from app.workflows.find import find_asset, find_project

MAX_TITLE = 200


@dataclass(frozen=True)
class Mapping:
    """Where an upload belongs: a new asset of a project, or the next version of one."""

    project_id: UUID
    collection_id: UUID | None = None
    asset_id: UUID | None = None
    title: str | None = None

    @staticmethod
    def of(stored: AnyMapping[str, Any]) -> Mapping:
        """From the JSON that a client gave (camelCase)."""

        def identifier(name: str) -> UUID | None:
            return UUID(str(stored[name])) if stored.get(name) else None

        project_id = identifier("projectId")
        if project_id is None:
            raise Rejected("project_missing", "The mapping must name a project.")
        return Mapping(project_id, identifier("collectionId"), identifier("assetId"), stored.get("title"))


def version_of(session: Session, upload: Upload) -> Version | None:
    """The version that an upload has become."""
    return session.scalars(select(Version).where(Version.upload_id == upload.id)).one_or_none()


def place_version(session: Session, principal: Principal, upload: Upload, mapping: Mapping) -> Version:
    """Make the version and its job in the caller's transaction; a second call finds the first one's version.

    The caller holds the upload's row locked. Raises NotFound, Denied, Rejected (the projects differ),
    Conflict (not complete, or placed elsewhere already).
    """
    placed = version_of(session, upload)
    if placed is not None:
        if mapping.asset_id not in (None, placed.asset_id):
            raise Conflict("already_promoted", "This upload is a version of another asset already.")
        return placed
    if upload.state != "completed":
        raise Conflict(f"upload_is_{upload.state}", "Complete the upload before it is promoted.")
    if mapping.project_id != upload.project_id:
        raise Rejected("projects_differ", "The upload belongs to another project than the mapping names.")
    asset = _asset(session, principal, upload, mapping)
    number = session.scalar(select(func.coalesce(func.max(Version.number), 0)).where(Version.asset_id == asset.id))
    version = Version(
        asset_id=asset.id,
        number=(number or 0) + 1,
        upload_id=upload.id,
        file_name=upload.name,
        size=upload.size,
        claimed_sha256=upload.claimed_sha256,
        created_by=upload.user_id,
        state="received",
    )
    session.add(version)
    session.flush()
    audit.record(
        session,
        principal.actor,
        "version.received",
        organization_id=upload.organization_id,
        project_id=upload.project_id,
        target_kind="version",
        target_id=version.id,
        data={"name": upload.name, "number": version.number},
    )
    enqueue(
        session,
        "promote_version",
        target_id=version.id,
        organization_id=upload.organization_id,
        dedupe_key=f"promote:{version.id}",
    )
    return version


def _asset(session: Session, principal: Principal, upload: Upload, mapping: Mapping) -> Asset:
    if mapping.asset_id is not None:
        asset = find_asset(session, principal, mapping.asset_id, "version.promote")
        if asset.project_id != upload.project_id:
            raise Rejected("projects_differ", "The asset belongs to another project than the upload.")
        session.refresh(asset, with_for_update=True)  # version numbers are given one by one
        return asset
    find_project(session, principal, mapping.project_id, "version.promote")
    if mapping.collection_id is not None:
        collection = session.get(Collection, mapping.collection_id)
        if collection is None or collection.project_id != upload.project_id:
            raise Rejected("unknown_collection", "There is no such collection in this project.")
    asset = Asset(
        project_id=upload.project_id,
        collection_id=mapping.collection_id,
        created_by=upload.user_id,
        title=title_for(mapping.title, upload.name),
    )
    session.add(asset)
    session.flush()
    return asset


def title_for(wanted: str | None, file_name: str) -> str:
    """The title that was asked for, else the file name without its ending."""
    text = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in wanted or "")).strip()
    return (text or PurePosixPath(file_name).stem or file_name)[:MAX_TITLE]
