"""Begin an upload: one multipart upload in staging, one row."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core import keys
from app.core.errors import Rejected, TooLarge
from app.core.ids import new_id
from app.core.policy import Principal
from app.core.storage import Storage, translated
from app.models import Collection, Project, Upload, utc_now
from app.workflows.find import find_asset

MIB = 1024**2
SMALL_PART, LARGE_PART = 8 * MIB, 32 * MIB
MAX_PARTS = 10_000


@dataclass(frozen=True)
class Announced:
    """What a client says of a file before it sends it."""

    name: str
    size: int
    content_type: str
    sha256: str | None
    mapping: dict[str, Any] | None


def part_size_for(size: int) -> int:
    """Parts of 8 MiB up to 2 GiB, of 32 MiB above, larger only for the limit of 10,000 parts (bytes)."""
    usual = SMALL_PART if size <= 2 * 1024**3 else LARGE_PART
    needed = math.ceil(size / MAX_PARTS / MIB) * MIB
    return max(usual, needed)


def start_upload(
    session: Session,
    storage: Storage,
    principal: Principal,
    project: Project,
    announced: Announced,
    *,
    max_bytes: int,
) -> Upload:
    """Open an upload in `project`, where the caller has checked `upload.create`.

    Raises Rejected (empty, bad name, mapping into another project), TooLarge, Unavailable.
    """
    if announced.size == 0:
        raise Rejected("zero_bytes", "The file is empty. Check the source.", fields={"size": "is 0"})
    if announced.size > max_bytes:
        raise TooLarge("too_large", f"The file is larger than the limit of {max_bytes:,} bytes.")
    mapping = _checked(session, principal, project, announced.mapping)
    upload_id = new_id()
    session.commit()  # no connection is held while the storage is asked
    with translated("opening the upload"):
        storage_id = storage["uploader"].create_multipart_upload(
            Bucket=storage.bucket("staging"),
            Key=keys.staging(upload_id),
            ChecksumAlgorithm="SHA256",
            ContentType="application/octet-stream",
        )["UploadId"]
    upload = Upload(
        id=upload_id,
        organization_id=project.organization_id,
        project_id=project.id,
        user_id=principal.user_id,
        name=clean_name(announced.name),
        size=announced.size,
        content_type=announced.content_type[:200],
        part_size=part_size_for(announced.size),
        claimed_sha256=announced.sha256,
        mapping=mapping,
        storage_upload_id=storage_id,
        last_part_at=utc_now(),
    )
    session.add(upload)
    session.flush()
    return upload


def clean_name(name: str) -> str:
    """The last component of a file name, without control characters. Raises Rejected when nothing is left."""
    last = re.split(r"[/\\]", name)[-1]
    clean = "".join(c for c in last if c.isprintable()).strip()[:255]
    if not clean or clean in (".", ".."):
        raise Rejected("bad_name", "The file needs a name.", fields={"name": "is empty"})
    return clean


def _checked(
    session: Session, principal: Principal, project: Project, mapping: dict[str, Any] | None
) -> dict[str, Any] | None:
    if mapping is None:
        return None
    if UUID(str(mapping["projectId"])) != project.id:
        raise Rejected("projects_differ", "The mapping names another project than the upload.")
    if mapping.get("assetId"):
        asset = find_asset(session, principal, UUID(str(mapping["assetId"])), "version.promote")
        if asset.project_id != project.id:
            raise Rejected("projects_differ", "The asset belongs to another project than the upload.")
    if mapping.get("collectionId"):
        collection = session.get(Collection, UUID(str(mapping["collectionId"])))
        if collection is None or collection.project_id != project.id:
            raise Rejected("unknown_collection", "There is no such collection in this project.")
    return mapping
