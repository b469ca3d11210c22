"""Give a member or a guest the signed addresses of a preview."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.core import keys, signing
from app.core.policy import Principal, ShareGrant
from app.models import Preview
from app.workflows.member_scope import member_scope
from app.workflows.share_scope import share_scope


@dataclass(frozen=True)
class Playback:
    """Signed addresses; those of parts that are not built yet are None. `expires_at` in Unix seconds."""

    token: str
    expires_at: int
    hls: str | None = None
    mp4: str | None = None
    poster: str | None = None
    storyboard: str | None = None
    waveform: str | None = None
    #: What the addresses of the documents (MediaInfo and others) begin with.
    files: str | None = None

    def document(self, name: str) -> str | None:
        """The address of a document, for whom may take files along."""
        return f"{self.files}{name}" if self.files else None

    @property
    def expires_in(self) -> int:
        """Seconds from now, so that nobody compares clocks."""
        return max(0, self.expires_at - int(time.time()))


def grant_playback(
    session: Session,
    ring: signing.KeyRing,
    principal: Principal,
    project_id: UUID,
    preview: Preview | None,
    *,
    base_url: str,
    ttl: int,
    scope: str | None = None,
) -> Playback | None:
    """The addresses of a preview for a member of its project or a guest of a share; None while nothing is built.

    `base_url` is EDGE_BASE_URL, or "" for relative addresses. The caller has checked `preview.view`. What a
    guest's scope does not open has no address, and no address lives longer than the share. `scope` is a member's
    handle where the caller knows it already.
    """
    if preview is None or preview.build is None or preview.state in ("pending", "unsupported", "failed"):
        return None
    exp = signing.expiry(time.time(), ttl)
    if principal.share is not None:
        scope = share_scope(session, principal.share)
        exp = min(exp, _end(principal.share) or exp)
    else:
        scope = scope or member_scope(session, principal.user_id, project_id)
    token = signing.mint(ring, scope=scope, media=preview.media, exp=exp)

    def address(kind: str, *names: str) -> str | None:
        if kind not in signing.SCOPE_KINDS[scope[0]]:
            return None
        return f"{base_url}/v/{token}/{keys.preview(kind, preview.media, str(preview.build), *names)}"

    files = keys.preview_build("files", preview.media, preview.build)
    still = (preview.probe or {}).get("kind") == "still"
    plays = preview.state in ("playable", "ready") and not still
    return Playback(
        token=token,
        expires_at=exp,
        hls=address("hls", "master.m3u8") if plays else None,
        mp4=address("mp4", "proxy.mp4") if preview.has_mp4 else None,
        poster=address("stills", "poster.jpg") if preview.has_poster else None,
        storyboard=address("thumbs", "storyboard.vtt") if preview.has_storyboard else None,
        waveform=address("waveforms", "waveform.json") if preview.has_waveform else None,
        files=f"{base_url}/v/{token}/{files}" if "files" in signing.SCOPE_KINDS[scope[0]] else None,
    )


def _end(grant: ShareGrant) -> int | None:
    return int(grant.expires_at.timestamp()) if grant.expires_at else None
