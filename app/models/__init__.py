"""The tables, imported here so that the metadata and every relationship are complete."""

from __future__ import annotations

from app.models.activity import Activity, ActivityPeople
from app.models.asset import Asset, Master, RetentionRequest, Version
from app.models.base import Base, utc_now
from app.models.comment import Comment
from app.models.idempotency import IdempotencyKey
from app.models.job import Job
from app.models.media_scope import EdgeEvent, MediaScope
from app.models.organization import Client, Organization
from app.models.preview import Preview, PreviewBuild, PreviewChunk
from app.models.project import Collection, Membership, Project
from app.models.share import Guest, Share, ShareAccess, ShareAsset
from app.models.upload import Upload, UploadPart
from app.models.user import ApiToken, Invitation, User, UserSession

__all__ = [
    "Activity",
    "ActivityPeople",
    "ApiToken",
    "Asset",
    "Base",
    "Client",
    "Collection",
    "Comment",
    "EdgeEvent",
    "Guest",
    "IdempotencyKey",
    "Invitation",
    "Job",
    "Master",
    "MediaScope",
    "Membership",
    "Organization",
    "Preview",
    "PreviewBuild",
    "PreviewChunk",
    "Project",
    "RetentionRequest",
    "Share",
    "ShareAccess",
    "ShareAsset",
    "Upload",
    "UploadPart",
    "User",
    "UserSession",
    "Version",
    "utc_now",
]
