"""What the views of one web process have at hand, made once by the factory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import current_app, request

from app.core.settings import Role, WebSettings
from app.core.storage import Storage

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

#: Origins by which browsers reach us are few; a client costs some milliseconds to make.
MAX_SIGNERS = 16


@dataclass
class Services:
    """Settings and servers of the web."""

    settings: WebSettings
    storage: Storage
    _signers: dict[tuple[Role, str], S3Client] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def part_signer(self) -> S3Client:
        """Signs part URLs for the origin that this request's browser will send them to."""
        return self._signer("uploader")

    def download_signer(self) -> S3Client:
        """Signs addresses of masters for the origin that this request's browser will ask."""
        return self._signer("downloader")

    def _signer(self, role: Role) -> S3Client:
        key = (role, self.settings.s3_public_endpoint or request.host_url.rstrip("/"))
        with self._lock:
            if key not in self._signers:
                if len(self._signers) >= MAX_SIGNERS:
                    self._signers.pop(next(iter(self._signers)))
                self._signers[key] = self.storage.signer(*key)
            return self._signers[key]


def services() -> Services:
    """The services of the running app."""
    return cast(Services, current_app.extensions["rushes"])
