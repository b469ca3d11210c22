"""Make assets, versions and masters again from storage, after the database is gone.

The manifests in docs say what each version was called and where it belonged; the masters themselves prove it:
each is asked for its size, checksum and lock before a row says that it is there. People, comments and shares
come back from a backup only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import audit, keys, masters
from app.core.database import UnitOfWork
from app.core.ids import new_id
from app.core.manifests import Manifest
from app.core.queue import enqueue
from app.core.storage import Storage, translated
from app.models import Asset, Master, Organization, Preview, Project, Version, utc_now

log = structlog.get_logger(__name__)


@dataclass
class Rebuilt:
    """What came of it. `missing` names manifests whose master is not there, or not as recorded."""

    versions: int = 0
    known: int = 0
    missing: list[str] = field(default_factory=list)


def rebuild_catalogue(unit_of_work: UnitOfWork, storage: Storage, secret: bytes) -> Rebuilt:
    """Read every manifest and insert what is not known yet; running it again adds nothing.

    `storage` must hold the roles bootstrap (which alone may list docs) and promoter. Raises Unavailable.
    """
    result = Rebuilt()
    for name, manifest in _manifests(storage):
        with translated("reading a master"):
            locked = masters.read_back(storage, manifest.key)
        if locked is None or locked.size != manifest.size or locked.composite not in ("", manifest.composite_sha256):
            result.missing.append(name)
            log.error("master_missing", manifest=name)
            continue
        with unit_of_work() as session:
            if _insert(session, manifest, locked, name, secret):
                result.versions += 1
            else:
                result.known += 1
    return result


def _manifests(storage: Storage) -> Iterator[tuple[str, Manifest]]:
    client, bucket = storage["bootstrap"], storage.bucket("docs")
    with translated("listing the manifests"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=keys.MANIFESTS)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    for name in names:
        with translated("reading a manifest"):
            text = client.get_object(Bucket=bucket, Key=name)["Body"].read()
        try:
            yield name, Manifest.model_validate_json(text)
        except ValidationError:
            log.error("manifest_unreadable", manifest=name)


def _insert(session: Session, manifest: Manifest, locked: masters.Locked, name: str, secret: bytes) -> bool:
    """Insert the version and all that it stands on; False when it is there already."""
    if session.get(Version, manifest.version_id) is not None:
        return False
    organization_id = manifest.organization.id
    _ensure(session, Organization, id=organization_id, name=manifest.organization.name)
    _ensure(session, Project, id=manifest.project.id, organization_id=organization_id, name=manifest.project.name)
    _ensure(session, Asset, id=manifest.asset.id, project_id=manifest.project.id, title=manifest.asset.name)
    master = _master(session, manifest, locked, name)
    preview = _preview(session, manifest, secret)
    session.add(
        Version(
            id=manifest.version_id,
            asset_id=manifest.asset.id,
            number=manifest.number,
            file_name=manifest.file_name,
            size=manifest.size,
            sha256=manifest.sha256,
            state="promoted",
            master_id=master.id,
            preview_id=preview.id,
            created_at=manifest.received_at,
        )
    )
    session.flush()
    audit.record(
        session,
        audit.SYSTEM,
        "version.rebuilt",
        organization_id=organization_id,
        project_id=manifest.project.id,
        target_kind="version",
        target_id=manifest.version_id,
        data={"sha256": manifest.sha256, "manifest": name},
    )
    return True


def _ensure(session: Session, model: type[Organization | Project | Asset], **values: object) -> None:
    session.execute(insert(model).values(created_at=utc_now(), **values).on_conflict_do_nothing())


def _master(session: Session, manifest: Manifest, locked: masters.Locked, name: str) -> Master:
    found = session.scalars(
        select(Master).where(Master.organization_id == manifest.organization.id, Master.sha256 == manifest.sha256)
    ).one_or_none()
    if found is not None:
        return found
    master = Master(
        organization_id=manifest.organization.id,
        sha256=manifest.sha256,
        size=manifest.size,
        key=manifest.key,
        storage_version_id=locked.version_id,
        etag=locked.etag,
        composite_sha256=manifest.composite_sha256,
        part_size=manifest.part_size,
        lock_mode=locked.lock_mode,
        retain_until=locked.retain_until,
        legal_hold=locked.legal_hold,
        verified_at=locked.read_at,
        manifest_key=name,
    )
    session.add(master)
    session.flush()
    return master


def _preview(session: Session, manifest: Manifest, secret: bytes) -> Preview:
    """The preview of these bytes; a new one is ordered, as the old one's name went with its row."""
    organization_id = manifest.organization.id
    found = session.scalars(
        select(Preview).where(Preview.organization_id == organization_id, Preview.sha256 == manifest.sha256)
    ).one_or_none()
    if found is not None:
        return found
    preview_id = new_id()
    preview = Preview(
        id=preview_id,
        organization_id=organization_id,
        sha256=manifest.sha256,
        media=keys.media_id(secret, preview_id),
        state="pending",
    )
    session.add(preview)
    session.flush()
    enqueue(
        session,
        "plan_preview",
        target_id=preview.id,
        organization_id=organization_id,
        dedupe_key=f"plan:{preview.id}",
    )
    return preview
