"""The record of one promotion, as it lies in docs: enough to make the catalogue again from storage alone."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

FORMAT: Literal["rushes-master/1"] = "rushes-master/1"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Named(_Part):
    """Something that people named."""

    id: UUID
    name: str


class Lock(_Part):
    """The lock as it was read back."""

    mode: str
    retain_until: datetime
    legal_hold: bool
    read_at: datetime


class Manifest(_Part):
    """One version and the master behind it. `composite_sha256` is the storage's checksum of the parts."""

    format: Literal["rushes-master/1"] = FORMAT
    organization: Named
    project: Named
    asset: Named
    version_id: UUID
    number: int
    file_name: str
    uploader: str
    received_at: datetime
    sha256: str
    size: int
    key: str
    storage_version: str | None
    etag: str
    composite_sha256: str
    part_size: int
    lock: Lock

    def text(self) -> bytes:
        """JSON in UTF-8, one field a line."""
        return self.model_dump_json(by_alias=True, indent=1).encode()
