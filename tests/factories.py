"""One maker per thing; each returns rows that are committed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy.orm import Session

from app.core import keys
from app.core.audit import Actor
from app.core.policy import Principal
from app.core.queue import enqueue
from app.core.storage import Storage
from app.models import Asset, Membership, Organization, Project, Upload, User, Version, utc_now

PART = 8 * 1024 * 1024


@dataclass(frozen=True)
class House:
    """An organisation with an admin and a project."""

    organization: Organization
    user: User
    project: Project

    @property
    def principal(self) -> Principal:
        return Principal(Actor("user", self.user.id), self.organization.id, self.user.role)


def make_house(session: Session, name: str = "Kestrel Post") -> House:
    """A new organisation, as different from all others as can be."""
    organization = Organization(name=name)
    session.add(organization)
    session.flush()
    user = make_user(session, organization, role="admin")
    project = Project(organization_id=organization.id, name="Northbound")
    session.add(project)
    session.flush()
    return House(organization, user, project)


def make_user(
    session: Session,
    organization: Organization,
    *,
    role: str = "member",
    project: Project | None = None,
    project_role: str = "viewer",
) -> User:
    """A person, with a role in a project when one is given."""
    user = User(organization_id=organization.id, email=f"{uuid4().hex}@example.org", name="Ada Lovelace", role=role)
    session.add(user)
    session.flush()
    if project is not None:
        session.add(Membership(project_id=project.id, user_id=user.id, role=project_role))
        session.flush()
    return user


def stage(storage: Storage, session: Session, house: House, data: bytes, *, claimed: str | None = None) -> Upload:
    """A completed upload whose bytes lie in staging, sent by parts as a browser would."""
    upload_id = uuid4()
    client, bucket, key = storage["uploader"], storage.bucket("staging"), keys.staging(upload_id)
    storage_id = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = []
    for number, start in enumerate(range(0, max(1, len(data)), PART), 1):
        etag = client.upload_part(
            Bucket=bucket, Key=key, UploadId=storage_id, PartNumber=number, Body=data[start : start + PART]
        )["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    etag = client.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=storage_id, MultipartUpload={"Parts": parts}
    )["ETag"]  # type: ignore[typeddict-item]
    upload = Upload(
        id=upload_id, organization_id=house.organization.id, project_id=house.project.id, user_id=house.user.id,
        name="spot_v01.mov", size=len(data), content_type="video/quicktime", part_size=PART, claimed_sha256=claimed,
        storage_upload_id=storage_id, state="completed", etag=etag, last_part_at=utc_now(), completed_at=utc_now(),
    )  # fmt: skip
    session.add(upload)
    session.flush()
    return upload


def make_version(session: Session, house: House, upload: Upload) -> Version:
    """A received version of a new asset, with the job that promotes it."""
    asset = Asset(project_id=house.project.id, title="Spot", created_by=house.user.id)
    session.add(asset)
    session.flush()
    version = Version(
        asset_id=asset.id, number=1, upload_id=upload.id, file_name=upload.name, size=upload.size,
        claimed_sha256=upload.claimed_sha256, created_by=house.user.id, state="received",
    )  # fmt: skip
    session.add(version)
    session.flush()
    enqueue(
        session,
        "promote_version",
        target_id=version.id,
        organization_id=house.organization.id,
        dedupe_key=f"promote:{version.id}",
    )
    session.flush()
    return version


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()
