"""Give out a master: an activity first, then an address that lives for a minute."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.core.policy import Principal
from app.core.storage import Storage
from app.models import Version

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Seconds in which a download must begin; one that has begun may finish.
LIFE = 60


def download_master(
    session: Session, storage: Storage, signer: S3Client, principal: Principal, version: Version
) -> str:
    """A presigned address of a version's master, saved under its file name. The caller has checked `master.download`.

    `signer` signs for the origin that the browser will ask (role downloader). Raises Conflict while nothing is
    locked.
    """
    master = version.master
    if master is None:
        raise Conflict("no_master", "There is no locked master of this version yet. Wait until it is locked.")
    project = version.asset.project
    audit.record(
        session,
        principal.actor,
        "master.downloaded",
        organization_id=project.organization_id,
        project_id=project.id,
        target_kind="version",
        target_id=version.id,
        data={"sha256": master.sha256},
    )
    wanted = {
        "Bucket": storage.bucket("masters"),
        "Key": master.key,
        "ResponseContentDisposition": attachment(version.file_name),
        "ResponseContentType": "application/octet-stream",
        "ResponseCacheControl": "no-store",
    }
    return signer.generate_presigned_url("get_object", Params=wanted, ExpiresIn=LIFE)


def attachment(name: str) -> str:
    """A Content-Disposition that saves under `name` (RFC 6266), whatever characters it holds."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(c for c in plain if c.isprintable() and c not in '"\\%;/') or "master"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
