"""The five buckets: made once with the bootstrap key, which no other process ever holds."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from app.core.errors import RushesError
from app.core.settings import Bucket, StorageSettings, load
from app.core.storage import Storage, translated
from app.stack.service import NotReady

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Object Lock can only be given at birth on some servers.
LOCKED: tuple[Bucket, ...] = ("masters", "docs")


class _BootstrapSettings(StorageSettings):
    ROLES = ("bootstrap",)


class Bootstrap:
    """Makes buckets and proves that objects can be written and read. Lives in the supervisor alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._storage = Storage(load(_BootstrapSettings, environment), attempts=1)

    @property
    def client(self) -> S3Client:
        """The administrator's client."""
        return self._storage["bootstrap"]

    def prepare(self, *, lock_days: int) -> None:
        """Make what is missing; masters gets a default retention of `lock_days` days, GOVERNANCE.

        Raises Unavailable when the storage does not answer.
        """
        with translated("making the buckets"):
            have = {bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]}
            for name in get_args(Bucket):
                real = self._storage.bucket(name)
                if real not in have:
                    self.client.create_bucket(Bucket=real, ObjectLockEnabledForBucket=name in LOCKED)
            self.client.put_object_lock_configuration(
                Bucket=self._storage.bucket("masters"),
                ObjectLockConfiguration={
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": lock_days}},
                },
            )

    def ready(self) -> None:
        """Write an object, read it, delete it: a health page says yes too early. Raises NotReady."""
        key, body = f"ready/{secrets.token_hex(8)}", secrets.token_bytes(16)
        bucket = self._storage.bucket("backups")
        try:
            with translated("the canary"):
                self.client.put_object(Bucket=bucket, Key=key, Body=body)
                back = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
                self.client.delete_object(Bucket=bucket, Key=key)
        except RushesError as error:
            raise NotReady(error.sentence) from None
        if back != body:
            raise NotReady("an object came back changed")
