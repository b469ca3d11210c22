"""A titled thing under review, its versions, and the locked masters behind them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Identified
from app.models.preview import Preview
from app.models.project import Project
from app.models.user import User


class Asset(Identified, Base):
    """What people talk about: "Reel 2, grade". Its versions are the takes."""

    __tablename__ = "assets"
    __table_args__ = (
        Index("ix_assets_project_id_created_at", "project_id", "created_at"),
        Index("ix_assets_collection_id_created_at", "collection_id", "created_at"),
    )

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    collection_id: Mapped[UUID | None] = mapped_column(ForeignKey("collections.id"))
    title: Mapped[str] = mapped_column()
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))

    project: Mapped[Project] = relationship()
    versions: Mapped[list[Version]] = relationship(back_populates="asset", order_by="Version.number")


class Version(Identified, Base):
    """One take of an asset. `state` is written by `app.core.lifecycle` alone."""

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("asset_id", "number"),
        CheckConstraint("state in ('received', 'promoted', 'rejected', 'failed')", name="state"),
        Index("ix_versions_sha256", "sha256"),
    )

    asset_id: Mapped[UUID] = mapped_column(ForeignKey("assets.id"))
    number: Mapped[int] = mapped_column()
    upload_id: Mapped[UUID | None] = mapped_column(ForeignKey("uploads.id"), unique=True)
    file_name: Mapped[str] = mapped_column()
    size: Mapped[int] = mapped_column(BigInteger)
    claimed_sha256: Mapped[str | None] = mapped_column()
    sha256: Mapped[str | None] = mapped_column()
    state: Mapped[str] = mapped_column(default="received")
    error_code: Mapped[str | None] = mapped_column()
    error: Mapped[str | None] = mapped_column()
    #: The multipart upload in masters that a promotion has begun, so that its orphan can be aborted.
    copy_upload_id: Mapped[str | None] = mapped_column()
    master_id: Mapped[UUID | None] = mapped_column(ForeignKey("masters.id"), index=True)
    preview_id: Mapped[UUID | None] = mapped_column(ForeignKey("previews.id"), index=True)
    meta: Mapped[dict[str, Any] | None] = mapped_column()
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))

    asset: Mapped[Asset] = relationship(back_populates="versions")
    master: Mapped[Master | None] = relationship()
    preview: Mapped[Preview | None] = relationship()
    uploader: Mapped[User | None] = relationship()


class Master(Identified, Base):
    """Bytes in the masters bucket under a lock that was read back. Versions with one digest share one."""

    __tablename__ = "masters"
    __table_args__ = (UniqueConstraint("organization_id", "sha256"),)

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    sha256: Mapped[str] = mapped_column()
    size: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[str] = mapped_column()
    storage_version_id: Mapped[str | None] = mapped_column()
    etag: Mapped[str] = mapped_column()
    #: The storage's composite SHA-256 (base64 of the digest of the parts' digests, "-", number of parts).
    composite_sha256: Mapped[str] = mapped_column()
    part_size: Mapped[int] = mapped_column(BigInteger)
    lock_mode: Mapped[str] = mapped_column()
    retain_until: Mapped[datetime] = mapped_column()
    legal_hold: Mapped[bool] = mapped_column(default=False)
    #: When the lock was last read back from the storage.
    verified_at: Mapped[datetime] = mapped_column()
    manifest_key: Mapped[str] = mapped_column()


class RetentionRequest(Identified, Base):
    """Why a master is kept, and until when. The object carries the strictest of all requests."""

    __tablename__ = "retention_requests"

    master_id: Mapped[UUID] = mapped_column(ForeignKey("masters.id"), index=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    until: Mapped[datetime] = mapped_column()
    reason: Mapped[str] = mapped_column()
