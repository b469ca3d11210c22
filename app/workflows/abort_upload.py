"""Give up an upload: by its owner, or by time."""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import keys
from app.core.audit import SYSTEM
from app.core.errors import Conflict, RushesError
from app.core.lifecycle import advance
from app.core.policy import Principal
from app.core.queue import enqueue
from app.core.settings import Role
from app.core.storage import Missing, Storage, translated
from app.models import Upload, utc_now
from app.workflows.context import Context

log = structlog.get_logger(__name__)

#: An upload without a new part for this long has expired.
LIFE = timedelta(days=7)
BATCH = 100


def abort_upload(session: Session, storage: Storage, principal: Principal, upload: Upload) -> None:
    """Free the parts and mark the upload aborted; aborting again does nothing. Raises Conflict when completed."""
    session.refresh(upload, with_for_update=True)
    if upload.state in ("aborted", "expired"):
        return
    if upload.state != "open":
        raise Conflict("upload_is_completed", "This upload is complete and can no longer be cancelled.")
    session.commit()
    _free(storage, upload)
    session.refresh(upload, with_for_update=True)
    if upload.state in ("aborted", "expired"):
        return
    advance(
        session,
        upload,
        "aborted",
        actor=principal.actor,
        organization_id=upload.organization_id,
        project_id=upload.project_id,
        data={"name": upload.name},
    )
    _sweep(session, upload)


def _sweep(session: Session, upload: Upload) -> None:
    """What a completion that lost the race has left in staging goes too."""
    enqueue(session, "clean_staging", target_id=upload.id, organization_id=upload.organization_id)


def _free(storage: Storage, upload: Upload) -> None:
    role: Role = "uploader" if "uploader" in storage.roles else "janitor"
    try:
        with translated("cancelling the upload"):
            storage[role].abort_multipart_upload(
                Bucket=storage.bucket("staging"), Key=keys.staging(upload.id), UploadId=upload.storage_upload_id
            )
    except Missing:
        pass


def expire_uploads(context: Context) -> int:
    """Free the parts of uploads that nobody has continued for a week; returns how many."""
    with context.unit_of_work() as session:
        stale = session.scalars(
            select(Upload.id).where(Upload.state == "open", Upload.last_part_at < utc_now() - LIFE).limit(BATCH)
        ).all()
    count = 0
    for upload_id in stale:
        try:
            with context.unit_of_work() as session:
                upload = session.get_one(Upload, upload_id, with_for_update=True)
                if upload.state != "open":
                    continue
                _free(context.storage, upload)
                advance(
                    session,
                    upload,
                    "expired",
                    actor=SYSTEM,
                    organization_id=upload.organization_id,
                    project_id=upload.project_id,
                    data={"name": upload.name},
                )
                _sweep(session, upload)
                count += 1
        except RushesError as error:
            log.warning("upload_not_expired", upload_id=str(upload_id), code=error.code)
    return count
