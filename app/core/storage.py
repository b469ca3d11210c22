"""S3, one client per role, least privilege.

Every client is made here, with a timeout on each call, and errors of the vendor are translated:
`Unavailable` when S3 is away or overloaded, `Missing` for no such object, `Changed` for a failed
If-Match, `Present` for a failed If-None-Match.

| role            | may                                                              | held by            |
|-----------------|------------------------------------------------------------------|--------------------|
| uploader        | staging Put, Abort, ListParts                                    | web                |
| promoter        | staging Get; masters Put, Get, GetRetention, PutRetention longer | worker             |
| gpu-writer      | masters Get, staging Get, previews Put, Get                      | worker             |
| preview-janitor | previews List, Delete                                            | scheduler's jobs   |
| edge-reader     | previews Get                                                     | guard              |
| downloader      | masters Get, only to presign                                     | web                |
| fixity          | masters Get, GetRetention                                        | worker             |
| docs-writer     | docs Put, Get, PutRetention                                      | worker             |
| backup-writer   | backups Put                                                      | worker             |
| janitor         | staging List, Delete, Abort                                      | scheduler's jobs   |
| records         | masters PutRetention, LegalHold, DeleteVersion with bypass       | a job with a reason|
| bootstrap       | creates buckets                                                  | `bin/up`, once     |

Weaknesses: an uploader can write again over the staging key that it was given, so promotion pins size
and ETag. Nobody but bootstrap lists masters, so the ids of multipart uploads there are kept in the
database to be aborted. CopyObject drops Object Lock on some servers: masters are only ever written by
multipart copy.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.core.errors import Conflict, RushesError, Unavailable
from app.core.settings import Bucket, Credentials, Role, StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Statement lists of each role, as IAM (version 2012-10-17) and SeaweedFS understand them.
_MULTIPART = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
PERMISSIONS: dict[Role, tuple[tuple[tuple[str, ...], Bucket, bool], ...]] = {
    # (actions, bucket, on its objects?)
    "uploader": ((_MULTIPART, "staging", True),),
    "promoter": (
        (("s3:GetObject",), "staging", True),
        (
            (*_MULTIPART, "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:PutObjectRetention"),
            "masters",
            True,
        ),
    ),
    "gpu-writer": (
        (("s3:GetObject",), "masters", True),
        (("s3:GetObject",), "staging", True),
        ((*_MULTIPART, "s3:GetObject"), "previews", True),  # the proxy and the storyboard are made of stored segments
    ),
    "preview-janitor": (
        (("s3:ListBucket",), "previews", False),
        (("s3:DeleteObject",), "previews", True),
    ),
    "edge-reader": ((("s3:GetObject",), "previews", True),),
    "downloader": ((("s3:GetObject",), "masters", True),),
    "fixity": ((("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention"), "masters", True),),
    "docs-writer": (((*_MULTIPART, "s3:GetObject", "s3:PutObjectRetention"), "docs", True),),
    "backup-writer": ((_MULTIPART, "backups", True),),
    "janitor": (
        (("s3:ListBucket", "s3:ListBucketMultipartUploads"), "staging", False),
        (("s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"), "staging", True),
    ),
    "records": (
        (
            (
                "s3:GetObject",
                "s3:GetObjectRetention",
                "s3:PutObjectRetention",
                "s3:PutObjectLegalHold",
                "s3:GetObjectLegalHold",
                "s3:DeleteObjectVersion",
                "s3:BypassGovernanceRetention",
            ),
            "masters",
            True,
        ),
    ),
}


class Missing(RushesError):
    """No such object, bucket or multipart upload."""


class Changed(RushesError):
    """The object is not the one that was pinned (If-Match failed)."""


class Present(RushesError):
    """The object is there already (If-None-Match failed)."""


_MISSING = {"NoSuchKey", "NoSuchUpload", "NoSuchBucket", "NotFound", "404"}
#: The parts that were sent are not what was signed, or not there: no fault of ours.
_REFUSED = {
    "BadDigest",
    "InvalidPart",
    "InvalidPartOrder",
    "EntityTooSmall",
    "EntityTooLarge",
    "XAmzContentSHA256Mismatch",
}
_BUSY = {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the vendor's errors into ours. `what` names the operation, without keys or secrets."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _MISSING or status == 404:
            raise Missing("missing_object", f"{what}: the object is not there.") from error
        if code in {"PreconditionFailed", "412"} or status == 412:
            raise Changed("changed_object", f"{what}: the object has changed.") from error
        if code in _BUSY or status >= 500:
            raise Unavailable("storage_unavailable", f"{what}: the storage is busy or away.") from error
        if code in _REFUSED:
            raise Conflict("storage_refused", f"{what}: the storage refuses it ({code}). Begin again.") from error
        raise
    except BotoCoreError as error:
        raise Unavailable("storage_unavailable", f"{what}: the storage does not answer.") from error


class Storage:
    """The S3 clients of one process: one per role that it holds, made at its first use, thread-safe."""

    def __init__(self, settings: StorageSettings, *, attempts: int = 3) -> None:
        self._settings = settings
        self._session = boto3.session.Session()  # one loader for all clients: each would cost 10 MB alone
        self._attempts = attempts
        self._clients: dict[Role, S3Client] = {}
        self._lock = threading.Lock()  # boto3's clients are thread-safe, making one is not

    def __getitem__(self, role: Role) -> S3Client:
        with self._lock:
            if role not in self._clients:
                if role not in self._settings.roles:
                    raise LookupError(f"this process does not hold the S3 role {role}")
                self._clients[role] = self._client(self._settings.roles[role], self._settings.s3_endpoint)
            return self._clients[role]

    @property
    def roles(self) -> frozenset[Role]:
        """The roles that this process holds."""
        return frozenset(self._settings.roles)

    def bucket(self, name: Bucket) -> str:
        """The real name of one of the five buckets."""
        return self._settings.bucket(name)

    def signer(self, role: Role, origin: str) -> S3Client:
        """A client that signs for the origin that a browser will use (SigV4 covers Host). It sends nothing."""
        with self._lock:
            return self._client(self._settings.roles[role], origin)

    def _client(self, pair: Credentials, endpoint: str) -> S3Client:
        parts = urlsplit(endpoint)
        client: Any = self._session.client(
            "s3",
            endpoint_url=f"{parts.scheme}://{parts.netloc}",
            region_name=self._settings.s3_region,
            aws_access_key_id=pair.access_key,
            aws_secret_access_key=pair.secret_key.get_secret_value(),
            config=Config(
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                connect_timeout=3,
                read_timeout=60,
                retries={"mode": "standard", "max_attempts": self._attempts},
                max_pool_connections=50,
                request_checksum_calculation=self._settings.s3_checksums,
                response_checksum_validation=self._settings.s3_checksums,
            ),
        )
        return client  # type: ignore[no-any-return]
