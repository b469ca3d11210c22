"""What the API says of things: camelCase, times in ISO 8601, addresses complete and signed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import request

from app.core.lifecycle import PROXY_STATUS, shown
from app.core.policy import Principal
from app.models import Asset, Comment, Project, Upload, Version
from app.web.api.answers import (
    AnchorAnswer,
    AssetAnswer,
    CommentAnswer,
    LoudnessAnswer,
    MediaAnswer,
    PlaybackAnswer,
    ProjectAnswer,
    ProxyStatusAnswer,
    SignedPartAnswer,
    UploadAnswer,
    VersionAnswer,
)
from app.web.playback import playback_of
from app.workflows.finish_upload import StoredPart
from app.workflows.list_assets import Running
from app.workflows.sign_parts import SignedPart

NO_PLAYBACK: PlaybackAnswer = {
    "hls": None,
    "mp4": None,
    "poster": None,
    "storyboard": None,
    "waveform": None,
    "expiresAt": None,
}


def project_json(principal: Principal, project: Project) -> ProjectAnswer:
    """A project, and the caller's role in it."""
    return {
        "id": str(project.id),
        "name": project.name,
        "client": project.client.name if project.client else None,
        "role": principal.role_in(project.id, project.organization_id) or "",
        "createdAt": iso(project.created_at),
    }


def signed_parts(parts: list[SignedPart]) -> list[SignedPartAnswer]:
    """Part URLs and the headers to send with them."""
    return [{"number": part.number, "url": part.url, "headers": part.headers} for part in parts]


def upload_json(upload: Upload, stored: list[StoredPart], digests: dict[int, str | None]) -> UploadAnswer:
    """An upload and what of it is stored, for resuming."""
    return {
        "uploadId": str(upload.id),
        "stagingKey": upload.id.hex,
        "state": upload.state,
        "name": upload.name,
        "size": upload.size,
        "partSize": upload.part_size,
        "parts": [
            {"number": p.number, "size": p.size, "etag": p.etag, "sha256": digests.get(p.number)} for p in stored
        ],
    }


def asset_json(principal: Principal, asset: Asset, versions: list[Version], shares: Sequence[UUID] = ()) -> AssetAnswer:
    """An asset with its versions, newest first, and the ids of its open shares."""
    return {
        "id": str(asset.id),
        "projectId": str(asset.project_id),
        "title": asset.title,
        "createdAt": iso(asset.created_at),
        "shares": [str(share) for share in shares],
        "versions": [version_json(principal, asset, version) for version in versions],
    }


def version_json(principal: Principal, asset: Asset, version: Version) -> VersionAnswer:
    """A version: what arrived, its lock as read back, its preview, and where it plays."""
    preview, master = version.preview, version.master
    body: VersionAnswer = {
        "id": str(version.id),
        "number": version.number,
        "fileName": version.file_name,
        "sha256": version.sha256,
        "size": version.size,
        "state": version.state,
        "createdAt": iso(version.created_at),
        "lock": None,
        "media": media_json(version),
        "preview": {"state": preview.state, "progress": preview.progress, "reason": preview.reason}
        if preview
        else None,
        "playback": _playback(principal, asset, version),
    }
    if version.error_code:
        body["error"] = {"code": version.error_code, "detail": version.error or version.error_code}
    if master is not None:
        body["lock"] = {
            "mode": master.lock_mode,
            "retainUntil": iso(master.retain_until),
            "legalHold": master.legal_hold,
            "verifiedAt": iso(master.verified_at),
        }
    return body


def media_json(version: Version) -> MediaAnswer | None:
    """The frame grid against which comments are kept, and what the source is."""
    preview = version.preview
    if preview is None or preview.rate_num is None:
        return None
    return {
        "rate": f"{preview.rate_num}/{preview.rate_den}",
        "frameCount": preview.frame_count,
        "startFrame": preview.start_frame,
        "dropFrame": preview.drop_frame,
        "source": preview.probe,
        "loudness": _loudness(preview.loudness),
    }


def _loudness(measured: dict[str, Any] | None) -> LoudnessAnswer | None:
    if measured is None:
        return None
    return {"integrated": measured["integrated"], "range": measured["range"], "truePeak": measured["truePeak"]}


def proxy_status_json(version: Version, running: Running | None) -> ProxyStatusAnswer:
    """How far the latest version is: queued, processing, complete or error."""
    preview = version.preview
    row = shown(version.state, preview.state if preview else None, running.step if running else None)
    body: ProxyStatusAnswer = {
        "state": PROXY_STATUS[row.code],
        "step": row.code,
        "progress": 100 if row.code == "ready" else preview.progress if preview else 0,
    }
    if body["state"] == "error":
        code = version.error_code or (preview.error_code if preview else None) or row.code
        detail = version.error or (preview.reason if preview else None) or row.word
        body["error"] = {"code": code, "detail": detail}
    return body


def comment_json(comment: Comment) -> CommentAnswer:
    """A comment; frames are whole numbers against the version's rate."""
    anchor: AnchorAnswer | None = None
    if comment.anchor_x is not None and comment.anchor_y is not None:
        anchor = {"x": comment.anchor_x, "y": comment.anchor_y}
    return {
        "id": str(comment.id),
        "versionId": str(comment.version_id),
        "frameIn": comment.frame_in,
        "frameOut": comment.frame_out,
        "anchor": anchor,
        "body": comment.body,
        "parentId": str(comment.parent_id) if comment.parent_id else None,
        "author": {
            "id": str(comment.author_id or comment.guest_id),
            "name": comment.by,
            "guest": comment.guest_id is not None,
        },
        "createdAt": iso(comment.created_at),
        "editedAt": iso(comment.edited_at) if comment.edited_at else None,
    }


def iso(moment: datetime) -> str:
    """ISO 8601 with zone, to the millisecond."""
    return moment.isoformat(timespec="milliseconds")


def _playback(principal: Principal, asset: Asset, version: Version) -> PlaybackAnswer:
    granted = playback_of(principal, asset, version.preview, base_url=request.host_url.rstrip("/"))
    if granted is None:
        return NO_PLAYBACK
    return {
        "hls": granted.hls,
        "mp4": granted.mp4,
        "poster": granted.poster,
        "storyboard": granted.storyboard,
        "waveform": granted.waveform,
        "expiresAt": granted.expires_at,
    }
