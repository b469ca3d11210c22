"""Signed addresses for pages and the API."""

from __future__ import annotations

from uuid import UUID

from flask import g

from app.core.policy import Principal
from app.extensions import db
from app.models import Asset, Preview
from app.web.services import services
from app.workflows.grant_playback import Playback, grant_playback
from app.workflows.member_scope import member_scope


def playback_of(
    principal: Principal, asset: Asset, preview: Preview | None, *, base_url: str | None = None
) -> Playback | None:
    """The addresses of a preview; relative unless EDGE_BASE_URL or `base_url` says where the edge is."""
    settings = services().settings
    return grant_playback(
        db.session(),
        settings.edge_signing_key,
        principal,
        asset.project_id,
        preview,
        base_url=settings.edge_base_url or base_url or "",
        ttl=settings.preview_ttl,
        scope=None if preview is None else _member_scope(principal, asset.project_id),
    )


def _member_scope(principal: Principal, project_id: UUID) -> str | None:
    """A member's handle, asked for once a request: a list has as many addresses as rows. None for a guest."""
    if principal.share is not None:
        return None
    known: dict[UUID, str] = g.setdefault("member_scopes", {})
    if project_id not in known:
        known[project_id] = member_scope(db.session(), principal.user_id, project_id)
    return known[project_id]


def poster_of(principal: Principal, asset: Asset, preview: Preview | None) -> str | None:
    """The address of the poster, if there is one."""
    playback = playback_of(principal, asset, preview)
    return playback.poster if playback else None
