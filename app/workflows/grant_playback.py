"""Give a member the signed addresses of a preview."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core import keys, signing
from app.core.policy import Principal
from app.models import MediaScope, Preview


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
) -> Playback | None:
    """The addresses of a preview for a member of its project; None while nothing is built.

    `base_url` is EDGE_BASE_URL, or "" for relative addresses. The caller has checked `preview.view`.
    """
    if preview is None or preview.build is None or preview.state in ("pending", "unsupported", "failed"):
        return None
    exp = signing.expiry(time.time(), ttl)
    scope = member_scope(session, principal.user_id, project_id)
    token = signing.mint(ring, scope=scope, media=preview.media, exp=exp)

    def address(kind: str, *names: str) -> str:
        return f"{base_url}/v/{token}/{keys.preview(kind, preview.media, str(preview.build), *names)}"

    plays = preview.state in ("playable", "ready") and bool((preview.plan or {}).get("has_timeline", True))
    return Playback(
        token=token,
        expires_at=exp,
        hls=address("hls", "master.m3u8") if plays else None,
        poster=address("stills", "poster.jpg") if preview.has_poster else None,
    )


def member_scope(session: Session, user_id: UUID, project_id: UUID) -> str:
    """The handle of a member in a project at its present generation, made when there is none."""
    current = (
        select(MediaScope.handle)
        .where(MediaScope.user_id == user_id, MediaScope.project_id == project_id, MediaScope.denied_at.is_(None))
        .order_by(MediaScope.generation.desc())
        .limit(1)
    )
    found = session.scalar(current)
    if found is not None:
        return found
    session.execute(
        insert(MediaScope)
        .values(handle=signing.new_scope("m"), user_id=user_id, project_id=project_id, generation=1)
        .on_conflict_do_nothing(index_elements=["user_id", "project_id", "generation"])
    )
    return session.scalars(current).one()
