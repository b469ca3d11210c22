"""Sign the URLs by which a browser sends parts straight to S3, just before they are used."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import keys
from app.core.errors import Conflict, Rejected
from app.models import Upload, UploadPart, utc_now

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

URL_LIFE_SECONDS = 900
MAX_BATCH = 100


@dataclass(frozen=True)
class PartWanted:
    """A part that a client is about to send. `sha256` in 64 hex digits."""

    number: int
    size: int
    sha256: str | None


@dataclass(frozen=True)
class SignedPart:
    """Where to PUT a part, with which headers. Valid for 15 minutes."""

    number: int
    url: str
    headers: dict[str, str]


def part_count(upload: Upload) -> int:
    """How many parts the upload has."""
    return -(-upload.size // upload.part_size)


def expected_size(upload: Upload, number: int) -> int:
    """The size in bytes that part `number` (from 1) must have."""
    return min(upload.part_size, upload.size - (number - 1) * upload.part_size)


def sign_parts(
    session: Session, signer: S3Client, bucket: str, upload: Upload, wanted: Sequence[PartWanted]
) -> list[SignedPart]:
    """Sign the parts and fix their digests on their rows.

    The signature covers size and digest, so what S3 stores under it has them. Raises Conflict when the
    upload is not open or a digest was fixed otherwise, Rejected for a wrong number or size.
    """
    if upload.state != "open":
        raise Conflict(f"upload_is_{upload.state}", f"This upload is {upload.state}; no part can be added.")
    if len(wanted) > MAX_BATCH:
        raise Rejected("too_many_parts", f"Ask for at most {MAX_BATCH} parts at once.")
    for part in wanted:
        _check(upload, part)
    _fix(session, upload, wanted)
    upload.last_part_at = utc_now()
    return [_sign(signer, bucket, upload, part) for part in wanted]


def _check(upload: Upload, part: PartWanted) -> None:
    if not 1 <= part.number <= part_count(upload):
        raise Rejected("bad_part_number", f"Parts are numbered from 1 to {part_count(upload)}.")
    if part.size != expected_size(upload, part.number):
        raise Rejected("bad_part_size", f"Part {part.number} must have {expected_size(upload, part.number)} bytes.")


def _fix(session: Session, upload: Upload, wanted: Sequence[PartWanted]) -> None:
    numbers = [part.number for part in wanted]
    rows = {
        row.number: row
        for row in session.scalars(
            select(UploadPart).where(UploadPart.upload_id == upload.id, UploadPart.number.in_(numbers))
        )
    }
    for part in wanted:
        row = rows.get(part.number)
        if row is None:
            rows[part.number] = UploadPart(upload_id=upload.id, number=part.number, size=part.size, sha256=part.sha256)
            session.add(rows[part.number])
        elif row.sha256 != part.sha256:
            raise Conflict(
                "part_differs",
                f"Part {part.number} was begun with other bytes: the file has changed. "
                "Cancel this upload and begin again.",
            )


def _sign(signer: S3Client, bucket: str, upload: Upload, part: PartWanted) -> SignedPart:
    parameters: dict[str, object] = {
        "Bucket": bucket,
        "Key": keys.staging(upload.id),
        "UploadId": upload.storage_upload_id,
        "PartNumber": part.number,
        "ContentLength": part.size,
    }
    headers: dict[str, str] = {}
    if part.sha256 is not None:
        digest = base64.b64encode(bytes.fromhex(part.sha256)).decode()
        parameters["ChecksumSHA256"] = digest
        headers["x-amz-checksum-sha256"] = digest
    url = signer.generate_presigned_url("upload_part", Params=parameters, ExpiresIn=URL_LIFE_SECONDS)
    return SignedPart(part.number, url, headers)
