"""Each S3 role by doing what it is for, on an object that is gone again afterwards, and the lock of the masters."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import SecretStr

from app.cli.findings import Finding, tried
from app.core import keys
from app.core.settings import Bucket, Credentials, Role, StorageSettings, load, role_variables
from app.core.storage import Missing, Storage, translated
from app.stack.state import ROLES

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Roles that no process of ours needs all the time: without them something is not possible, but nothing is broken.
_OPTIONAL: frozenset[Role] = frozenset({"bootstrap", "records", "fixity", "backup-writer"})
_LOCKED: tuple[Bucket, ...] = ("masters", "docs")


def check_storage(values: Mapping[str, str], master: str | None) -> Iterator[Finding]:
    """A finding for the storage, each role, each lock. `master` is the key of some locked master, if there is one."""
    settings = load(StorageSettings, values)
    held = {role: pair for role in ROLES if (pair := _pair(role, values))}
    storage = Storage(settings.model_copy(update={"roles": held}), attempts=1)
    probe = _Probe(storage, master)
    for role in (*probe.attempts, *(role for role in ROLES if role not in probe.attempts)):  # in their order
        names = " and ".join(role_variables(role))
        if role not in held:
            yield Finding("skip" if role in _OPTIONAL else "FAIL", f"S3 {role}", "has no key pair", f"Set {names}.")
            continue
        attempt = probe.attempts.get(role)
        if attempt is None:
            yield Finding("skip", f"S3 {role}", "there is no locked master yet to try it on")
            continue
        mend = f"Give the keys of {names} what app/core/storage.py lists for {role}, at {settings.s3_endpoint}."
        yield tried(f"S3 {role}", attempt, mend)
    for bucket in _LOCKED:
        yield _lock(storage, bucket, master)


def _pair(role: Role, values: Mapping[str, str]) -> Credentials | None:
    access, secret = (values.get(name) for name in role_variables(role))
    return Credentials(access_key=access, secret_key=SecretStr(secret)) if access and secret else None


class _Probe:
    """What each role does; the order matters: one writes what the next one reads."""

    def __init__(self, storage: Storage, master: str | None) -> None:
        self._storage = storage
        self._master = master
        self._staged = keys.staging(uuid4())
        self._shown = keys.preview("files", secrets.token_hex(32), "doctor", "probe.json")
        self.attempts: dict[Role, Callable[[], str]] = {
            "uploader": lambda: self._write_by_parts("uploader", "staging", self._staged),
            "promoter": self._promote,
            "gpu-writer": lambda: self._write_by_parts("gpu-writer", "previews", self._shown),
            "edge-reader": lambda: self._read("edge-reader", "previews", self._shown),
            "preview-janitor": lambda: self._clean("preview-janitor", "previews", self._shown),
            "janitor": lambda: self._clean("janitor", "staging", self._staged),
            "docs-writer": lambda: self._begin("docs-writer", "docs"),
            "backup-writer": lambda: self._begin("backup-writer", "backups"),
            "bootstrap": self._list,
        }
        if master:
            for role in ("downloader", "fixity", "records"):
                self.attempts[role] = lambda role=role: self._read(role, "masters", master)  # type: ignore[misc]

    def _client(self, role: Role, bucket: Bucket) -> tuple[S3Client, str]:
        return self._storage[role], self._storage.bucket(bucket)

    def _write_by_parts(self, role: Role, bucket: Bucket, key: str) -> str:
        client, name = self._client(role, bucket)
        with translated(f"writing to {name}"):
            upload = client.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
            etag = client.upload_part(Bucket=name, Key=key, UploadId=upload, PartNumber=1, Body=b"{}")["ETag"]
            parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
            client.complete_multipart_upload(Bucket=name, Key=key, UploadId=upload, MultipartUpload=parts)  # type: ignore[arg-type]
        return f"writes to {name}"

    def _read(self, role: Role, bucket: Bucket, key: str) -> str:
        client, name = self._client(role, bucket)
        with translated(f"reading from {name}"):
            client.get_object(Bucket=name, Key=key, Range="bytes=0-0")["Body"].read()
        return f"reads from {name}"

    def _clean(self, role: Role, bucket: Bucket, key: str) -> str:
        client, name = self._client(role, bucket)
        with translated(f"cleaning {name}"):
            client.list_objects_v2(Bucket=name, Prefix=key, MaxKeys=1)
            client.delete_object(Bucket=name, Key=key)
        return f"lists and deletes in {name}"

    def _begin(self, role: Role, bucket: Bucket) -> str:
        """A multipart upload that is begun and given up leaves nothing, where nothing may be deleted."""
        client, name = self._client(role, bucket)
        key = f"doctor/{secrets.token_hex(8)}"
        with translated(f"writing to {name}"):
            upload = client.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
            client.abort_multipart_upload(Bucket=name, Key=key, UploadId=upload)
        return f"writes to {name}"

    def _promote(self) -> str:
        self._read("promoter", "staging", self._staged)
        self._begin("promoter", "masters")
        return "reads from staging, writes to masters"

    def _list(self) -> str:
        with translated("listing the buckets"):
            have = {bucket["Name"] for bucket in self._storage["bootstrap"].list_buckets()["Buckets"]}
        wanted = {self._storage.bucket(name) for name in ("staging", "masters", "previews", "docs", "backups")}
        if wanted - have:
            raise Missing("no_bucket", f"These buckets are missing: {', '.join(sorted(wanted - have))}.")
        return "all five buckets are there"


def _lock(storage: Storage, bucket: Bucket, master: str | None) -> Finding:
    """Object Lock of a bucket: asked by the administrator, else seen on a master."""
    part, name = f"Object Lock on {bucket}", storage.bucket(bucket)
    mend = "It can only be given when a bucket is made: make a new one with Object Lock and name it by S3_BUCKET_*."

    def ask() -> str:
        with translated(f"asking for the lock of {name}"):
            answer = storage["bootstrap"].get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"]
        kept = answer.get("Rule", {}).get("DefaultRetention", {})
        default = f", by default {kept.get('Mode')} for {kept.get('Days')} days" if kept else ""
        return f"{answer.get('ObjectLockEnabled', 'not enabled').lower()}{default}"

    def see() -> str:
        with translated(f"reading a lock in {name}"):
            head = storage["promoter"].head_object(Bucket=name, Key=str(master))
        if "ObjectLockMode" not in head:
            raise Missing("no_lock", f"The master {master} bears no lock.")
        return f"a master is locked ({head['ObjectLockMode']}) until {head['ObjectLockRetainUntilDate']:%Y-%m-%d}"

    if "bootstrap" in storage.roles:
        return tried(part, ask, mend)
    if bucket == "masters" and master and "promoter" in storage.roles:
        return tried(part, see, mend)
    return Finding("skip", part, "only the bootstrap key, or a master that is locked, could tell")
