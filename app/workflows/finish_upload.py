"""Complete an upload and, where it knows where it belongs, order its promotion in the same transaction."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import keys
from app.core.errors import Conflict, Rejected, RushesError
from app.core.lifecycle import advance
from app.core.policy import Principal
from app.core.storage import Missing, Storage, translated
from app.models import Upload, UploadPart, utc_now
from app.workflows.place_version import Mapping, place_version
from app.workflows.sign_parts import expected_size, part_count


@dataclass(frozen=True)
class Finished:
    """A complete upload and, when it was promoted at once, its asset and version."""

    staging_key: str
    size: int
    etag: str
    asset_id: UUID | None
    version_id: UUID | None


@dataclass(frozen=True)
class StoredPart:
    """A part as the storage lists it."""

    number: int
    size: int
    etag: str


def list_stored(storage: Storage, upload: Upload) -> list[StoredPart]:
    """The parts that are stored, by number. Raises Missing when the upload is over, Unavailable."""
    found: list[StoredPart] = []
    marker = 0
    with translated("listing the parts"):
        while True:
            answer = storage["uploader"].list_parts(
                Bucket=storage.bucket("staging"),
                Key=keys.staging(upload.id),
                UploadId=upload.storage_upload_id,
                PartNumberMarker=marker,
            )
            found += [StoredPart(p["PartNumber"], p["Size"], p["ETag"]) for p in answer.get("Parts", [])]
            if not answer.get("IsTruncated"):
                return found
            marker = int(answer["NextPartNumberMarker"])


def finish_upload(
    session: Session, storage: Storage, principal: Principal, upload: Upload, *, sha256: str | None
) -> Finished:
    """Complete the upload; asking again gives the same answer.

    `sha256` is the uploader's claim of the whole digest. Commits on its way: no connection is held while
    the storage works, and the parts' ETags must be known before it forgets the parts, or a crash between its
    completion and ours would lose the upload.
    Raises Rejected when parts are missing or have
    another size, Conflict when the upload was aborted or has expired, Unavailable.
    """
    if _is_over(upload):
        return _finished(session, upload)
    if sha256 is not None and upload.claimed_sha256 not in (None, sha256):
        raise Conflict("claim_differs", "Another digest was claimed for this upload when it began.")
    session.commit()
    stored = _stored(storage, upload)
    _remember(session, upload, stored)
    session.commit()
    etag = _complete(session, storage, upload, stored)
    session.refresh(upload, with_for_update=True)
    if _is_over(upload):
        return _finished(session, upload)
    advance(
        session,
        upload,
        "completed",
        actor=principal.actor,
        organization_id=upload.organization_id,
        project_id=upload.project_id,
        values={"etag": etag, "completed_at": utc_now(), "claimed_sha256": sha256 or upload.claimed_sha256},
        data={"name": upload.name, "size": upload.size},
    )
    if upload.mapping is not None:
        _place(session, principal, upload, Mapping.of(upload.mapping))
    return _finished(session, upload)


def _place(session: Session, principal: Principal, upload: Upload, mapping: Mapping) -> None:
    """In the same transaction. Where the place is gone, the upload stays complete, to be placed by /promote."""
    try:
        with session.begin_nested():
            place_version(session, principal, upload, mapping)
    except RushesError:
        session.commit()
        raise


def _finished(session: Session, upload: Upload) -> Finished:
    from app.workflows.place_version import version_of

    version = version_of(session, upload)
    return Finished(
        keys.staging(upload.id),
        upload.size,
        upload.etag or "",
        version.asset_id if version else None,
        version.id if version else None,
    )


def _is_over(upload: Upload) -> bool:
    """Whether it is completed already. Raises Conflict when it was aborted or has expired."""
    if upload.state not in ("open", "completed"):
        raise Conflict(f"upload_is_{upload.state}", f"This upload is {upload.state}. Begin a new one.")
    return upload.state == "completed"


def _stored(storage: Storage, upload: Upload) -> list[StoredPart] | None:
    """The parts, checked; None when the storage has completed the upload already."""
    try:
        stored = list_stored(storage, upload)
    except Missing:
        return None
    _check(upload, stored)
    return stored


def _remember(session: Session, upload: Upload, stored: list[StoredPart] | None) -> None:
    """Keep the parts' ETags on their rows."""
    rows = _rows(session, upload)
    for part in stored or ():
        if part.number in rows:
            rows[part.number].etag = part.etag


def _complete(session: Session, storage: Storage, upload: Upload, stored: list[StoredPart] | None) -> str:
    rows = _rows(session, upload)
    session.commit()
    if stored is not None:
        try:
            return _send(storage, upload, stored, rows)
        except Missing:
            pass  # another request has just completed it
    return _predicted_etag(upload, rows.values())


def _rows(session: Session, upload: Upload) -> dict[int, UploadPart]:
    found = session.scalars(select(UploadPart).where(UploadPart.upload_id == upload.id))
    return {row.number: row for row in found}


def _check(upload: Upload, stored: list[StoredPart]) -> None:
    sizes = {part.number: part.size for part in stored}
    wrong = [n for n in range(1, part_count(upload) + 1) if sizes.get(n) != expected_size(upload, n)]
    if wrong:
        some = ", ".join(map(str, wrong[:10]))
        raise Rejected(
            "parts_missing",
            f"{len(wrong)} of {part_count(upload)} parts are missing or have another size (first: {some}). "
            "Send them and complete again.",
        )


def _send(storage: Storage, upload: Upload, stored: list[StoredPart], rows: dict[int, UploadPart]) -> str:
    parts: list[dict[str, object]] = []
    for part in stored:
        entry: dict[str, object] = {"PartNumber": part.number, "ETag": part.etag}
        row = rows.get(part.number)
        if row is not None and row.sha256:
            entry["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(row.sha256)).decode()
        parts.append(entry)
    with translated("completing the upload"):
        answer = storage["uploader"].complete_multipart_upload(
            Bucket=storage.bucket("staging"),
            Key=keys.staging(upload.id),
            UploadId=upload.storage_upload_id,
            MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
        )
    return answer["ETag"]


def _predicted_etag(upload: Upload, rows: Iterable[UploadPart]) -> str:
    """The ETag of a multipart object: MD5 of the parts' MD5s, "-", their number (S3 API, multipart overview).

    Promotion pins it, so a wrong prediction rejects the file and never takes other bytes for it.
    """
    etags = [row.etag for row in sorted(rows, key=lambda row: row.number)]
    if len(etags) != part_count(upload) or not all(etags):
        raise Conflict("upload_lost", "The storage no longer knows this upload. Begin a new one.")
    whole = hashlib.md5(b"".join(bytes.fromhex((etag or "").strip('"')) for etag in etags))  # noqa: S324
    return f'"{whole.hexdigest()}-{len(etags)}"'
