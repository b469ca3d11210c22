"""Parts that arrive in staging."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified


class Upload(Identified, Base):
    """One multipart upload. Its id is its staging key, as 32 hex digits."""

    __tablename__ = "uploads"
    __table_args__ = (CheckConstraint("state in ('open', 'completed', 'aborted', 'expired')", name="state"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column()
    size: Mapped[int] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column()
    part_size: Mapped[int] = mapped_column(BigInteger)
    claimed_sha256: Mapped[str | None] = mapped_column()
    mapping: Mapped[dict[str, Any] | None] = mapped_column()
    storage_upload_id: Mapped[str] = mapped_column()
    state: Mapped[str] = mapped_column(default="open")
    etag: Mapped[str | None] = mapped_column()
    last_part_at: Mapped[datetime] = mapped_column()
    completed_at: Mapped[datetime | None] = mapped_column()


class UploadPart(Base):
    """A part whose URL was signed. A digest given is fixed here and in the signature."""

    __tablename__ = "upload_parts"

    upload_id: Mapped[UUID] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column()
    #: As the storage lists it, kept before completion, so that a crash in between can be told from a loss.
    etag: Mapped[str | None] = mapped_column()
