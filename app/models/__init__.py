"""The tables, imported here so that the metadata and every relationship are complete."""

from __future__ import annotations

from app.models.activity import Activity
from app.models.asset import Asset, Master, RetentionRequest, Version
from app.models.base import Base, utc_now
from app.models.comment import Comment
from app.models.job import Job
from app.models.media_scope import MediaScope
from app.models.organization import Organization
from app.models.preview import Preview, PreviewChunk
from app.models.project import Collection, Membership, Project
from app.models.upload import Upload, UploadPart
from app.models.user import ApiToken, User, UserSession

__all__ = [
    "Activity",
    "ApiToken",
    "Asset",
    "Base",
    "Collection",
    "Comment",
    "Job",
    "Master",
    "MediaScope",
    "Membership",
    "Organization",
    "Preview",
    "PreviewChunk",
    "Project",
    "RetentionRequest",
    "Upload",
    "UploadPart",
    "User",
    "UserSession",
    "Version",
    "utc_now",
]
