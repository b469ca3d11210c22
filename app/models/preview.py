"""What people watch: one preview for one (organisation, digest), built in chunks."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Identified, utc_now


class Preview(Identified, Base):
    """A preview and its frame grid. `state` is written by `app.core.lifecycle` alone.

    `media` is the public name (see `app.core.keys.media_id`), `build` names the settings and the run that
    are played now. Rate, frame count and start frame are the grid against which comments are kept.
    """

    __tablename__ = "previews"
    __table_args__ = (
        UniqueConstraint("organization_id", "sha256"),
        CheckConstraint("state in ('pending', 'building', 'playable', 'ready', 'failed', 'unsupported')", name="state"),
    )

    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id"))
    sha256: Mapped[str] = mapped_column()
    media: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(default="pending")
    build: Mapped[str | None] = mapped_column()
    plan: Mapped[dict[str, Any] | None] = mapped_column()
    #: One encoder makes all chunks of a build: those of another one need another init segment.
    encoder: Mapped[str | None] = mapped_column()
    probe: Mapped[dict[str, Any] | None] = mapped_column()
    rate_num: Mapped[int | None] = mapped_column()
    rate_den: Mapped[int | None] = mapped_column()
    frame_count: Mapped[int | None] = mapped_column()
    start_frame: Mapped[int] = mapped_column(default=0)
    drop_frame: Mapped[bool] = mapped_column(default=False)
    has_poster: Mapped[bool] = mapped_column(default=False)
    has_mp4: Mapped[bool] = mapped_column(default=False, server_default=false())
    has_storyboard: Mapped[bool] = mapped_column(default=False, server_default=false())
    has_waveform: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: EBU R128 of the first programme: integrated (LUFS), range (LU), true peak (dBTP).
    loudness: Mapped[dict[str, Any] | None] = mapped_column()
    #: A build that will replace the present one when it is complete, and how far it is (per cent).
    next_build: Mapped[str | None] = mapped_column()
    next_progress: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    #: Per cent of the work of all pieces, weighed in frames.
    progress: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None] = mapped_column()
    reason: Mapped[str | None] = mapped_column()
    ready_at: Mapped[datetime | None] = mapped_column()


class PreviewBuild(Base):
    """One run of building a preview: played, being built, or, once it is retired, waiting to be deleted."""

    __tablename__ = "preview_builds"

    preview_id: Mapped[UUID] = mapped_column(ForeignKey("previews.id", ondelete="CASCADE"), primary_key=True)
    build: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    plan: Mapped[dict[str, Any]] = mapped_column()
    #: One encoder makes all chunks of a build: those of another one need another init segment.
    encoder: Mapped[str] = mapped_column()
    #: What came out, once the playlists are written: fewer frames than planned where the source ends early.
    frame_count: Mapped[int | None] = mapped_column()
    #: Replaced, failed or cancelled; its objects are deleted a day later.
    retired_at: Mapped[datetime | None] = mapped_column(index=True)


class PreviewChunk(Base):
    """One independent piece of a build: some whole segments of every rendition, the sound, the poster, an extra."""

    __tablename__ = "preview_chunks"
    __table_args__ = (
        CheckConstraint("kind in ('video', 'audio', 'poster', 'mp4', 'storyboard', 'analysis')", name="kind"),
    )

    preview_id: Mapped[UUID] = mapped_column(ForeignKey("previews.id", ondelete="CASCADE"), primary_key=True)
    build: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    #: The weight in the progress: the frames of a chunk of video, a share of the film's for the others.
    frames: Mapped[int] = mapped_column(default=0)
    frames_done: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None] = mapped_column()
    facts: Mapped[dict[str, Any] | None] = mapped_column()
