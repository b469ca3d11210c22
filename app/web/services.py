"""What the views of one web process have at hand, made once by the factory."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import current_app, request

from app.core.settings import WebSettings
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
    _signers: dict[str, S3Client] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def part_signer(self) -> S3Client:
        """Signs part URLs for the origin that this request's browser will send them to."""
        origin = self.settings.s3_public_endpoint or request.host_url.rstrip("/")
        with self._lock:
            if origin not in self._signers:
                if len(self._signers) >= MAX_SIGNERS:
                    self._signers.pop(next(iter(self._signers)))
                self._signers[origin] = self.storage.signer("uploader", origin)
            return self._signers[origin]


def services() -> Services:
    """The services of the running app."""
    return cast(Services, current_app.extensions["rushes"])
