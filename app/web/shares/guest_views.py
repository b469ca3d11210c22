"""What guests are given: the film, its comments, and nothing of the house but its name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import url_for

from app.extensions import db
from app.models import Asset, Share, Version
from app.web.playback import playback_of
from app.web.room import film_facts
from app.web.shares.gate import Visit
from app.web.views import (
    PreviewView,
    ProjectView,
    RoomLinks,
    RoomView,
    StatusView,
    VersionView,
    duration_of,
)
from app.workflows.find_shared import Shared, locked_version, shown_version

READY = StatusView("ready", "Ready", "ok", "done", "", None, settled=True, retry=False)
WAITING = StatusView(
    "building", "Not ready yet", "", "clock", "The picture starts here by itself.", None, settled=False, retry=False
)
NO_PICTURE = StatusView(
    "unsupported", "No picture", "warn", "film", "Ask whoever sent you the link.", None, settled=True, retry=False
)


@dataclass(frozen=True)
class SenderView:
    """Whom a guest sees as the sender."""

    name: str
    client: str | None

    @property
    def mark(self) -> str:
        """The letter that stands for it."""
        return f"{self.name[:1].upper()}."


@dataclass(frozen=True)
class DownloadView:
    """One thing that a guest may take away. `href` None: it is not built yet."""

    label: str
    hint: str
    href: str | None
    file_name: str
    is_form: bool


@dataclass(frozen=True)
class GuestView:
    """Who visits, by which share. What a locked gate does not show is empty there."""

    share: str
    sender: SenderView | None
    name: str
    initials: str
    until: datetime | None
    home: str
    leave: str
    single: bool


@dataclass(frozen=True)
class SharedTile:
    """An asset in the list."""

    id: UUID
    title: str
    href: str
    duration: str
    poster: str | None
    comments: int | None
    number: int | None
    vertical: bool


def guest_view(visit: Visit, *, single: bool) -> GuestView:
    """The visit as its pages show it."""
    words = visit.guest.name.split()
    return GuestView(
        share=visit.share.name,
        sender=sender_view(visit.share),
        name=visit.guest.name,
        initials="".join(word[0] for word in words[:2]).upper(),
        until=visit.share.expires_at,
        home=url_for("guest.door", token=visit.token),
        leave=url_for("guest.leave", token=visit.token),
        single=single,
    )


def sender_view(share: Share) -> SenderView:
    """The organisation that sent the link, and for whom."""
    client = share.project.client
    return SenderView(share.project.organization.name, client.name if client else None)


def tile_view(visit: Visit, shared: Shared) -> SharedTile:
    """An asset of the list. Scopes may be new: the caller commits."""
    version = shared.version
    preview = version.preview if version else None
    granted = playback_of(visit.principal, shared.asset, preview)
    video = ((preview.probe if preview else None) or {}).get("video") or {}
    return SharedTile(
        id=shared.asset.id,
        title=shared.asset.title,
        href=url_for("guest.room", token=visit.token, asset_id=shared.asset.id),
        duration=duration_of(preview),
        poster=granted.poster if granted else None,
        comments=shared.comments if visit.may("comment.view") else None,
        number=version.number if version else None,
        vertical=bool(video) and video.get("height", 0) > video.get("width", 0),
    )


def links_of(visit: Visit, asset: Asset) -> RoomLinks:
    """Where a guest's room asks and posts: under the link, and nowhere else."""

    def here(endpoint: str, frame: int | None = None) -> str:
        return url_for(endpoint, token=visit.token, asset_id=asset.id, f=frame)

    return RoomLinks(
        show=lambda frame: here("guest.room", frame),
        delete=lambda comment_id: url_for("guest.delete_comment", token=visit.token, comment_id=comment_id),
        comments=here("guest.comments"),
        preview_status=here("guest.preview_status"),
        post=here("guest.post_comment"),
    )


def room_view(visit: Visit, asset: Asset) -> tuple[RoomView, Version | None]:
    """The room of an asset and the version in it; None while nothing plays. The caller commits."""
    version = shown_version(db.session(), asset)
    preview = version.preview if version else None
    granted = playback_of(visit.principal, asset, preview)
    may_comment = visit.may("comment.create")
    room = RoomView(
        asset_id=asset.id,
        title=asset.title,
        project=ProjectView(id=visit.share.id, name=visit.share.name, client=None, href=""),
        version=_version_view(asset, version),
        versions=[],
        playback_href=url_for("guest.playback", token=visit.token, asset_id=asset.id),
        poster=granted.poster if granted else None,
        links=links_of(visit, asset),
        can_comment=may_comment and version is not None,
        notes=may_comment,
        **film_facts(preview),
    )
    return room, version


def _version_view(asset: Asset, version: Version | None) -> VersionView:
    """The number and the state; no file name, digest, lock or uploader."""
    return VersionView(
        id=version.id if version else asset.id,
        number=version.number if version else 0,
        file_name="",
        size=0,
        size_human="",
        sha256=None,
        claimed=None,
        uploader="",
        created=asset.created_at,
        status=READY if version else _status(locked_version(db.session(), asset)),
        lock=None,
        facts=[],
        preview=PreviewView(version.preview.state, 100, None) if version and version.preview else None,
        error=None,
    )


def _status(held: Version | None) -> StatusView:
    hopeless = held is not None and held.preview is not None and held.preview.state in ("unsupported", "failed")
    return NO_PICTURE if hopeless else WAITING


def downloads_of(visit: Visit, asset: Asset, version: Version | None) -> list[DownloadView]:
    """What the guest may take away of an asset."""
    found = []
    if visit.may("proxy.download") and version is not None:
        granted = playback_of(visit.principal, asset, version.preview)
        built = granted is not None and granted.mp4 is not None
        href = url_for("guest.download_proxy", token=visit.token, asset_id=asset.id)
        name = f"{asset.title} v{version.number}.mp4"
        hint = "MP4 for any player" if built else "It is being built"
        found.append(DownloadView("Preview file", hint, href if built else None, name, is_form=False))
    held = version or locked_version(db.session(), asset)
    if visit.may("master.download") and held is not None and held.master is not None:
        href = url_for("guest.download_master", token=visit.token, asset_id=asset.id)
        found.append(DownloadView("Master", "The delivered file itself", href, "", is_form=True))
    return found
