"""Bytes into masters, under a lock: measure, copy by parts, read back.

Always a multipart copy: CopyObject drops Object Lock silently on some servers (research: SeaweedFS 4.48),
UploadPartCopy keeps it. The composite checksum that the storage computes on its side is predicted from the
one pass over staging, so a copy of other bytes cannot pass.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from app.core.errors import Denied, Unavailable
from app.core.storage import Changed, Missing, Storage, translated
from app.models.base import utc_now

MIB = 1024**2
READ_SIZE = 4 * MIB
#: S3: at most 10,000 parts, each at least 5 MiB but the last, at most 5 GiB.
MAX_PARTS = 10_000
COPY_PART = 64 * MIB

Report = Callable[[float], None]
Mode = Literal["GOVERNANCE", "COMPLIANCE"]


@dataclass(frozen=True)
class Measured:
    """One pass over a staged object: its SHA-256 (hex) and each copy part's (raw digests)."""

    size: int
    etag: str
    sha256: str
    part_size: int
    parts: tuple[bytes, ...]

    @property
    def composite(self) -> str:
        """The checksum that S3 gives to a multipart object: base64(SHA-256 of the parts' digests)-count."""
        digest = hashlib.sha256(b"".join(self.parts)).digest()
        return f"{base64.b64encode(digest).decode()}-{len(self.parts)}"


@dataclass(frozen=True)
class Locked:
    """A master as read back from the storage."""

    etag: str
    version_id: str | None
    size: int
    composite: str
    lock_mode: str
    retain_until: datetime
    legal_hold: bool
    read_at: datetime


def copy_part_size(size: int) -> int:
    """The fixed part size of a master of `size` bytes: 64 MiB, or larger where 10,000 parts would not do."""
    needed = -(-size // MAX_PARTS)
    return max(COPY_PART, -(-needed // MIB) * MIB)


def measure(storage: Storage, key: str, *, etag: str, size: int, report: Report) -> Measured:
    """Read a staged object once, pinned to its ETag. `report` gets the share done (0..1).

    Raises Changed when the object is another one, Missing when it is gone, Unavailable when the read breaks.
    """
    part_size = copy_part_size(size)
    whole, part = hashlib.sha256(), hashlib.sha256()
    parts: list[bytes] = []
    done = 0
    with translated("reading the upload"):
        answer = storage["promoter"].get_object(Bucket=storage.bucket("staging"), Key=key, IfMatch=etag)
        for block in answer["Body"].iter_chunks(READ_SIZE):
            view = memoryview(block)
            while view:
                room = part_size - done % part_size
                piece, view = view[:room], view[room:]
                whole.update(piece)
                part.update(piece)
                done += len(piece)
                if done % part_size == 0:
                    parts.append(part.digest())
                    part = hashlib.sha256()
            report(done / size if size else 1.0)
    if done % part_size or not parts:
        parts.append(part.digest())
    if done != size:
        raise Unavailable("short_read", "The upload could not be read to its end; it is tried again.")
    return Measured(size, etag, whole.hexdigest(), part_size, tuple(parts))


def staged_etag(storage: Storage, key: str) -> str:
    """The ETag of a staged object now. Raises Missing, Unavailable."""
    with translated("looking at the upload"):
        return storage["promoter"].head_object(Bucket=storage.bucket("staging"), Key=key)["ETag"]


def copy_under_lock(
    storage: Storage,
    source: str,
    key: str,
    measured: Measured,
    *,
    mode: Mode,
    retain_until: datetime,
    begun: Callable[[str], None],
    report: Report,
) -> None:
    """Copy staging to masters part by part under Object Lock.

    `begun` is told the id of the multipart upload before the first part, so that an orphan can be aborted.
    A copy that another worker has completed meanwhile counts as done. Raises Changed when staging is no
    longer what was measured.
    """
    client, bucket = storage["promoter"], storage.bucket("masters")
    with translated("beginning the copy"):
        upload_id = client.create_multipart_upload(
            Bucket=bucket,
            Key=key,
            ChecksumAlgorithm="SHA256",
            ContentType="application/octet-stream",
            ObjectLockMode=mode,
            ObjectLockRetainUntilDate=retain_until,
        )["UploadId"]
    begun(upload_id)
    done = [_copy_part(storage, source, key, upload_id, measured, n, report) for n in range(1, len(measured.parts) + 1)]
    try:
        with translated("completing the copy"):
            client.complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=upload_id,
                IfNoneMatch="*",
                MultipartUpload={"Parts": done},  # type: ignore[typeddict-item]
            )
    except Changed:  # If-None-Match: the same bytes are there already
        abort_copy(storage, key, upload_id)


def _copy_part(
    storage: Storage, source: str, key: str, upload_id: str, measured: Measured, number: int, report: Report
) -> dict[str, object]:
    first = (number - 1) * measured.part_size
    last = min(first + measured.part_size, measured.size) - 1
    with translated("copying"):
        result = storage["promoter"].upload_part_copy(
            Bucket=storage.bucket("masters"),
            Key=key,
            UploadId=upload_id,
            PartNumber=number,
            CopySource={"Bucket": storage.bucket("staging"), "Key": source},
            CopySourceIfMatch=measured.etag,
            CopySourceRange=f"bytes={first}-{last}",
        )["CopyPartResult"]
    digest = base64.b64encode(measured.parts[number - 1]).decode()
    if result.get("ChecksumSHA256", digest) != digest:
        raise Changed("changed_object", "A part that was copied is not the part that was read.")
    report(number / len(measured.parts))
    return {"PartNumber": number, "ETag": result["ETag"], "ChecksumSHA256": digest}


def abort_copy(storage: Storage, key: str, upload_id: str) -> None:
    """Remove an unfinished copy; none is as good."""
    try:
        with translated("aborting a copy"):
            storage["promoter"].abort_multipart_upload(Bucket=storage.bucket("masters"), Key=key, UploadId=upload_id)
    except Missing:
        pass


def read_back(storage: Storage, key: str) -> Locked | None:
    """What the storage says of a master: size, checksum, lock. None when it is not there or bears no lock."""
    try:
        # The stubs promise a lock on every object; there is none on an unlocked one.
        with translated("reading the lock back"):
            head: Mapping[str, Any] = storage["promoter"].head_object(
                Bucket=storage.bucket("masters"), Key=key, ChecksumMode="ENABLED"
            )
    except Missing:
        return None
    mode, until = head.get("ObjectLockMode"), head.get("ObjectLockRetainUntilDate")
    if mode is None or until is None:
        return None
    return Locked(
        etag=head["ETag"],
        version_id=head.get("VersionId"),
        size=head["ContentLength"],
        composite=head.get("ChecksumSHA256", ""),
        lock_mode=mode,
        retain_until=until,
        legal_hold=head.get("ObjectLockLegalHoldStatus") == "ON",
        read_at=utc_now(),
    )


def holds(storage: Storage, key: str, locked: Locked, measured: Measured) -> bool:
    """Whether a master has the measured bytes: by the storage's checksum, or by reading it where there is none."""
    if locked.size != measured.size:
        return False
    if locked.composite == measured.composite:
        return True
    whole = hashlib.sha256()
    with translated("reading the copy"):
        answer = storage["promoter"].get_object(Bucket=storage.bucket("masters"), Key=key, IfMatch=locked.etag)
        for block in answer["Body"].iter_chunks(READ_SIZE):
            whole.update(block)
    return whole.hexdigest() == measured.sha256


def strengthen(storage: Storage, key: str, locked: Locked, *, mode: Mode, until: datetime) -> Locked:
    """Make the lock at least as strict and as long as asked, and read it back. Never weakens or shortens.

    Raises Denied when the storage forbids it (some do not let GOVERNANCE become COMPLIANCE without bypass),
    Unavailable when it does not show the lock afterwards.
    """
    if _suffices(locked, mode, until):
        return locked
    stricter: Mode = "COMPLIANCE" if "COMPLIANCE" in (mode, locked.lock_mode) else "GOVERNANCE"
    try:
        with translated("strengthening the lock"):
            storage["promoter"].put_object_retention(
                Bucket=storage.bucket("masters"),
                Key=key,
                Retention={"Mode": stricter, "RetainUntilDate": max(until, locked.retain_until)},
            )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "AccessDenied":
            raise
        raise Denied(
            "lock_too_weak",
            f"The same bytes are locked as {locked.lock_mode} already, and the storage does not let this be made "
            f"{stricter}. Have an administrator raise the lock of the master, then try again.",
        ) from error
    again = read_back(storage, key)
    if again is None or not _suffices(again, mode, until):
        raise Unavailable("lock_too_weak", "The storage did not set the lock that was asked for; it is tried again.")
    return again


def _suffices(locked: Locked, mode: Mode, until: datetime) -> bool:
    strict = locked.lock_mode in ("COMPLIANCE", mode)
    return strict and locked.retain_until >= until - timedelta(seconds=1)
