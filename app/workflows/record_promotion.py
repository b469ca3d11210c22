"""Record a promotion: the manifest in docs, then all rows of the fact in one transaction (design 6, step 5)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import keys, masters
from app.core.audit import SYSTEM
from app.core.ids import new_id
from app.core.lifecycle import advance
from app.core.manifests import Lock, Manifest, Named
from app.core.queue import enqueue
from app.core.storage import translated
from app.models import Master, Preview, RetentionRequest, Version, utc_now
from app.workflows.context import Context


@dataclass(frozen=True)
class Received:
    """What a promotion needs of the rows, read in one short transaction."""

    version_id: UUID
    organization_id: UUID
    project_id: UUID
    staging_key: str
    size: int
    etag: str
    claimed: str | None
    copy_upload_id: str | None
    file_name: str


@dataclass(frozen=True)
class Proof:
    """What was read, and the lock on its copy as read back."""

    key: str
    measured: masters.Measured
    locked: masters.Locked


def record_promotion(context: Context, facts: Received, proof: Proof) -> None:
    """Manifest first; then one transaction: master, retention, version, activity, preview and its job, cleaning.

    Raises Unavailable, or Conflict when the version is no longer received.
    """
    manifest = _write_manifest(context, facts, proof)
    measured, locked = proof.measured, proof.locked
    with context.unit_of_work() as session:
        version = session.get_one(Version, facts.version_id)
        master_id = _upsert_master(session, facts, proof, manifest)
        preview_id = _preview_for(context, session, facts, measured.sha256)
        session.add(
            RetentionRequest(
                master_id=master_id,
                project_id=facts.project_id,
                until=locked.retain_until,
                reason="default retention at promotion",
            )
        )
        advance(
            session,
            version,
            "promoted",
            actor=SYSTEM,
            organization_id=facts.organization_id,
            project_id=facts.project_id,
            values={
                "sha256": measured.sha256,
                "master_id": master_id,
                "preview_id": preview_id,
                "copy_upload_id": None,
                "error_code": None,
                "error": None,
            },
            data={"sha256": measured.sha256, "lock": locked.lock_mode, "until": locked.retain_until.isoformat()},
        )
        enqueue(session, "clean_staging", target_id=version.upload_id, organization_id=facts.organization_id)


def _write_manifest(context: Context, facts: Received, proof: Proof) -> str:
    with context.unit_of_work() as session:
        manifest = _manifest(session, facts, proof)
    name = keys.manifest(facts.organization_id, proof.measured.sha256, facts.version_id)
    with translated("writing the manifest"):
        context.storage["docs-writer"].put_object(
            Bucket=context.storage.bucket("docs"), Key=name, ContentType="application/json", Body=manifest.text()
        )
    return name


def _manifest(session: Session, facts: Received, proof: Proof) -> Manifest:
    version = session.get_one(Version, facts.version_id)
    asset, project = version.asset, version.asset.project
    measured, locked = proof.measured, proof.locked
    return Manifest(
        organization=Named(id=project.organization_id, name=project.organization.name),
        project=Named(id=project.id, name=project.name),
        asset=Named(id=asset.id, name=asset.title),
        version_id=version.id,
        number=version.number,
        file_name=version.file_name,
        uploader=version.uploader.name if version.uploader else "",
        received_at=version.created_at,
        sha256=measured.sha256,
        size=measured.size,
        key=proof.key,
        storage_version=locked.version_id,
        etag=locked.etag,
        composite_sha256=measured.composite,
        part_size=measured.part_size,
        lock=Lock(
            mode=locked.lock_mode,
            retain_until=locked.retain_until,
            legal_hold=locked.legal_hold,
            read_at=locked.read_at,
        ),
    )


def _upsert_master(session: Session, facts: Received, proof: Proof, manifest: str) -> UUID:
    measured, locked = proof.measured, proof.locked
    read_back = {
        "lock_mode": locked.lock_mode,
        "retain_until": locked.retain_until,
        "legal_hold": locked.legal_hold,
        "verified_at": locked.read_at,
    }
    statement = (
        insert(Master)
        .values(
            id=new_id(),
            created_at=utc_now(),
            organization_id=facts.organization_id,
            sha256=measured.sha256,
            size=measured.size,
            key=proof.key,
            storage_version_id=locked.version_id,
            etag=locked.etag,
            composite_sha256=measured.composite,
            part_size=measured.part_size,
            manifest_key=manifest,
            **read_back,
        )
        .on_conflict_do_update(index_elements=["organization_id", "sha256"], set_=read_back)
        .returning(Master.id)
    )
    return session.execute(statement).scalar_one()


def _preview_for(context: Context, session: Session, facts: Received, sha256: str) -> UUID:
    """The preview of these bytes in this organisation; its plan is ordered unless it is there or being built."""
    preview_id = new_id()
    secret = context.settings.secret_key.get_secret_value().encode()
    made = session.execute(
        insert(Preview)
        .values(
            id=preview_id,
            created_at=utc_now(),
            organization_id=facts.organization_id,
            sha256=sha256,
            media=keys.media_id(secret, preview_id),
            state="pending",
        )
        .on_conflict_do_nothing(index_elements=["organization_id", "sha256"])
        .returning(Preview.id)
    ).scalar_one_or_none()
    found = (
        made
        or session.scalars(
            select(Preview.id).where(Preview.organization_id == facts.organization_id, Preview.sha256 == sha256)
        ).one()
    )
    if made is not None:
        enqueue(
            session,
            "plan_preview",
            target_id=found,
            organization_id=facts.organization_id,
            dedupe_key=f"plan:{found}",
        )
    return found
