"""Every role × bucket × operation on the embedded storage: exactly what `PERMISSIONS` says, and nothing else.

Each operation is tried on objects that it could work on, made by bootstrap; what it needs is written beside
it, so that the expectation comes from the table alone.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from app.core.storage import PERMISSIONS, Storage
from tests.support.running import Running

BUCKETS = ("staging", "masters", "previews", "docs", "backups")
LOCKED = ("masters", "docs")
ANONYMOUS = "anonymous"
Need = frozenset[tuple[str, bool]]  # (action, on an object?)


@dataclass(frozen=True)
class Made:
    key: str
    version: str | None
    upload: str


def _until(hours: int) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)


def _new() -> str:
    return f"matrix/{uuid.uuid4().hex}"


def _delete_many(s3: Any, bucket: str, made: Made) -> Any:
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": made.key}]})
    if answer.get("Errors"):
        raise ClientError({"Error": {"Code": answer["Errors"][0]["Code"]}}, "DeleteObjects")
    return answer


def _policy(bucket: str) -> str:
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/none",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [deny]})


def _retention(hours: int) -> dict[str, Any]:
    return {"Mode": "GOVERNANCE", "RetainUntilDate": _until(hours)}


_O, _B = True, False
NEVER: Need = frozenset({("nobody's", _B)})


def need(*actions: str, on: bool = _O) -> Need:
    return frozenset((f"s3:{action}", on) for action in actions)


_CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://x.example"]}]}
_LIFE = {"Rules": [{"ID": "a", "Status": "Disabled", "Filter": {"Prefix": "zz/"}, "Expiration": {"Days": 9}}]}
_LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
Operation = Callable[[Any, str, Made], Any]
OPERATIONS: dict[str, tuple[Need, Operation]] = {
    "put": (need("PutObject"), lambda s3, b, m: s3.put_object(Bucket=b, Key=_new(), Body=b"1")),
    "put over": (need("PutObject"), lambda s3, b, m: s3.put_object(Bucket=b, Key=m.key, Body=b"1")),
    "start multipart": (need("PutObject"), lambda s3, b, m: s3.create_multipart_upload(Bucket=b, Key=_new())),
    "put part": (
        need("PutObject"),
        lambda s3, b, m: s3.upload_part(Bucket=b, Key=m.key, UploadId=m.upload, PartNumber=1, Body=b"1"),
    ),
    "list parts": (
        need("ListMultipartUploadParts"),
        lambda s3, b, m: s3.list_parts(Bucket=b, Key=m.key, UploadId=m.upload),
    ),
    "abort multipart": (
        need("AbortMultipartUpload"),
        lambda s3, b, m: s3.abort_multipart_upload(Bucket=b, Key=m.key, UploadId=m.upload),
    ),
    "list uploads": (
        need("ListBucketMultipartUploads", on=_B),
        lambda s3, b, m: s3.list_multipart_uploads(Bucket=b),
    ),
    "get": (need("GetObject"), lambda s3, b, m: s3.get_object(Bucket=b, Key=m.key)),
    "head": (need("GetObject"), lambda s3, b, m: s3.head_object(Bucket=b, Key=m.key)),
    "list": (need("ListBucket", on=_B), lambda s3, b, m: s3.list_objects_v2(Bucket=b)),
    "list versions": (need("ListBucketVersions", on=_B), lambda s3, b, m: s3.list_object_versions(Bucket=b)),
    "delete": (need("DeleteObject"), lambda s3, b, m: s3.delete_object(Bucket=b, Key=m.key)),
    "delete many": (need("DeleteObject"), _delete_many),
    "delete version": (
        need("DeleteObjectVersion", "BypassGovernanceRetention"),
        lambda s3, b, m: s3.delete_object(
            Bucket=b, Key=m.key, VersionId=m.version or "null", BypassGovernanceRetention=True
        ),
    ),
    "get retention": (
        need("GetObjectRetention"),
        lambda s3, b, m: s3.get_object_retention(Bucket=b, Key=m.key),
    ),
    "extend retention": (
        need("PutObjectRetention"),
        lambda s3, b, m: s3.put_object_retention(Bucket=b, Key=m.key, Retention=_retention(24 * 40)),
    ),
    "shorten retention": (
        need("PutObjectRetention", "BypassGovernanceRetention"),
        lambda s3, b, m: s3.put_object_retention(
            Bucket=b, Key=m.key, Retention=_retention(1), BypassGovernanceRetention=True
        ),
    ),
    "legal hold": (
        need("PutObjectLegalHold"),
        lambda s3, b, m: s3.put_object_legal_hold(Bucket=b, Key=m.key, LegalHold={"Status": "ON"}),
    ),
    "get legal hold": (
        need("GetObjectLegalHold"),
        lambda s3, b, m: s3.get_object_legal_hold(Bucket=b, Key=m.key),
    ),
    "tag": (
        NEVER,
        lambda s3, b, m: s3.put_object_tagging(Bucket=b, Key=m.key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
    ),
    "object acl": (NEVER, lambda s3, b, m: s3.put_object_acl(Bucket=b, Key=m.key, ACL="public-read")),
    "bucket policy": (NEVER, lambda s3, b, m: s3.put_bucket_policy(Bucket=b, Policy=_policy(b))),
    "bucket acl": (NEVER, lambda s3, b, m: s3.put_bucket_acl(Bucket=b, ACL="public-read")),
    "bucket cors": (NEVER, lambda s3, b, m: s3.put_bucket_cors(Bucket=b, CORSConfiguration=_CORS)),
    "bucket versioning": (
        NEVER,
        lambda s3, b, m: s3.put_bucket_versioning(Bucket=b, VersioningConfiguration={"Status": "Enabled"}),
    ),
    "bucket lock": (
        NEVER,
        lambda s3, b, m: s3.put_object_lock_configuration(Bucket=b, ObjectLockConfiguration=_LOCK),
    ),
    "bucket lifecycle": (
        NEVER,
        lambda s3, b, m: s3.put_bucket_lifecycle_configuration(Bucket=b, LifecycleConfiguration=_LIFE),
    ),
    "delete bucket": (NEVER, lambda s3, b, m: s3.delete_bucket(Bucket=b)),
    "new bucket": (NEVER, lambda s3, b, m: s3.create_bucket(Bucket=f"{b}-x{uuid.uuid4().hex[:6]}")),
    "see the bucket": (need("ListBucket", on=_B), lambda s3, b, m: _named(b, s3.list_buckets()["Buckets"])),
}
#: These only mean something where there is Object Lock; the server answers 400 to those who may.
_LOCK_ONLY = {"get retention", "extend retention", "shorten retention", "legal hold", "get legal hold"}


def _named(bucket: str, found: list[Any]) -> None:
    if bucket not in [each["Name"] for each in found]:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListBuckets")


def expected(role: str, bucket: str) -> set[str]:
    """The operations that PERMISSIONS gives a role on a bucket."""
    held = {
        (action, on)
        for actions, name, on in PERMISSIONS.get(role, ())  # type: ignore[call-overload]
        if name == bucket
        for action in actions
    }
    return {name for name, (needed, _) in OPERATIONS.items() if needed <= held}


@pytest.mark.parametrize("role", [*PERMISSIONS, ANONYMOUS])
def test_a_role_may_do_exactly_what_the_table_says(role: str, storage: Storage, servers: Running) -> None:
    s3 = _anonymous(servers) if role == ANONYMOUS else storage[role]  # type: ignore[index]
    wrong = {}
    for bucket in BUCKETS:
        allowed = {name for name in OPERATIONS if _allowed(s3, bucket, name, storage)}
        if allowed != expected(role, bucket):
            wrong[bucket] = {
                "may, but should not": allowed - expected(role, bucket),
                "should, but may not": expected(role, bucket) - allowed,
            }
    assert not wrong


def _allowed(s3: Any, bucket: str, name: str, storage: Storage) -> bool:
    if name in _LOCK_ONLY and bucket not in LOCKED:
        return False
    try:
        OPERATIONS[name][1](s3, bucket, _prepare(storage["bootstrap"], bucket, name))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDenied", "403", "SignatureDoesNotMatch", "AccessForbidden"), (
            bucket,
            name,
            code,
        )
        return False
    return True


def _prepare(admin: Any, bucket: str, name: str) -> Made:
    key = _new()
    more: dict[str, Any] = {}
    if bucket in LOCKED:
        more = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": _until(2)}
        if name == "get legal hold":
            more["ObjectLockLegalHoldStatus"] = "ON"
    stored = admin.put_object(Bucket=bucket, Key=key, Body=b"x" * 100, **more)
    upload = admin.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    return Made(key, stored.get("VersionId"), upload)


def _anonymous(servers: Running) -> Any:
    return boto3.client(
        "s3", endpoint_url=servers.environment["S3_ENDPOINT"], region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )  # fmt: skip


def test_retention_can_only_be_made_longer_by_the_promoter(storage: Storage) -> None:
    made = _prepare(storage["bootstrap"], "masters", "shorten")
    with pytest.raises(ClientError, match="AccessDenied"):
        storage["promoter"].put_object_retention(Bucket="masters", Key=made.key, Retention=_retention(1))
    storage["promoter"].put_object_retention(Bucket="masters", Key=made.key, Retention=_retention(72))
    held = storage["fixity"].get_object_retention(Bucket="masters", Key=made.key)["Retention"]
    assert held["RetainUntilDate"] > _until(71)
