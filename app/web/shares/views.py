"""What the owner's pages are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from flask import request, url_for
from sqlalchemy.orm import Session

from app.core.passwords import hash_token
from app.core.share_links import share_token
from app.core.timecode import Timecode
from app.models import Asset, Share, utc_now
from app.web.security import is_loopback
from app.web.services import services
from app.web.views import timecode_of
from app.workflows.find_shared import shown_version
from app.workflows.list_shares import ShareRow
from app.workflows.record_access import Access

_SOON = timedelta(days=2)


@dataclass(frozen=True)
class ShareView:
    """A row of the list, and the head of a share's own page."""

    id: UUID
    name: str
    href: str
    state: str
    guests: str
    opens: str
    password: bool
    comments: bool
    download: str
    until: datetime | None
    ends_soon: bool
    last_at: datetime | None
    visits: int


@dataclass(frozen=True)
class AccessView:
    """One access in words. `kind` is the tone of its icon."""

    at: datetime
    who: str
    what: str
    kind: str
    icon: str
    ip: str
    device: str
    agent: str


def share_view(row: ShareRow) -> ShareView:
    """A share with its numbers in words."""
    share = row.share
    return ShareView(
        id=share.id,
        name=share.name,
        href=url_for("shares.show", share_id=share.id),
        state=row.state,
        guests=_guests(row.guests),
        opens=_titles(share.assets),
        password=share.password_hash is not None,
        comments=share.may_comment,
        download=share.download,
        until=share.expires_at,
        ends_soon=row.state == "open" and share.expires_at is not None and share.expires_at < utc_now() + _SOON,
        last_at=row.last_at,
        visits=row.visits,
    )


def _guests(names: Sequence[str]) -> str:
    if not names:
        return "Nobody yet"
    more = len(names) - 1
    return names[0] if not more else f"{names[0]} and {more} other{'s' if more > 1 else ''}"


def _titles(assets: Sequence[Asset]) -> str:
    if len(assets) == 1:
        return assets[0].title
    return f"{len(assets)} assets: {assets[0].title} …" if assets else "Nothing"


def link_of(share: Share) -> str | None:
    """The address to send, as it is today; None when SECRET_KEY is not the one that it was made with."""
    settings = services().settings
    token = share_token(settings.secret_key.get_secret_value().encode(), share.id, share.link_generation)
    if hash_token(token) != share.token_hash:
        return None
    base = settings.public_url or request.host_url.rstrip("/")
    return base + url_for("guest.door", token=token)


def link_stays_here() -> bool:
    """Whether links lead to this machine only."""
    return services().settings.public_url is None and is_loopback(request.host.rpartition(":")[0] or request.host)


_WORDS = {
    "refused": ("Wrong password", "bad", "stop"),
    "listed": ("Looked at the list", "", "film"),
    "viewed": ("Had {title} open", "", "play"),
    "commented": ("Commented on {title}{at}", "", "note"),
    "comment_deleted": ("Took a comment on {title}{at} back", "", "note"),
    "proxy_downloaded": ("Downloaded the preview file of {title}", "info", "down"),
    "master_downloaded": ("Downloaded the master of {title}", "info", "down"),
}


def access_views(accesses: Sequence[Access], labels: dict[UUID, str]) -> list[AccessView]:
    """Accesses in words; `labels` are the timecodes of comments by the id of their access."""
    return [_access_view(access, labels.get(access.row.id)) for access in accesses]


def _access_view(access: Access, label: str | None) -> AccessView:
    row = access.row
    if row.what == "opened":
        words, kind, icon = ("Came in with the password" if row.data.get("password") else "Came in"), "ok", "key"
    else:
        words, kind, icon = _WORDS.get(row.what, (row.what, "", "eye"))
    return AccessView(
        at=row.created_at,
        who=access.guest or "Unknown",
        what=words.format(title=access.title or "an asset", at=f" at {label}" if label else ""),
        kind=kind,
        icon=icon,
        ip=row.ip or "unknown address",
        device=device_of(row.user_agent),
        agent=row.user_agent,
    )


def labels_of(session: Session, accesses: Sequence[Access], share: Share) -> dict[UUID, str]:
    """Timecodes of the frames that were commented on."""
    assets = {asset.id: asset for asset in share.assets}
    codes: dict[UUID, Timecode | None] = {}
    found: dict[UUID, str] = {}
    for access in accesses:
        frame = access.row.data.get("frame")
        asset = assets.get(access.row.asset_id) if access.row.asset_id else None
        if frame is None or asset is None:
            continue
        if asset.id not in codes:
            version = shown_version(session, asset)
            codes[asset.id] = timecode_of(version.preview) if version else None
        timecode = codes[asset.id]
        if timecode is not None:
            found[access.row.id] = timecode.label(int(frame))
    return found


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def device_of(agent: str) -> str:
    """`Safari, iPhone`: what a browser calls itself, in words that a person knows."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (browser, system))) or "Unknown program"
