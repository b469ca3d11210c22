"""What templates are given: plain values, ready to be read. No template asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from flask import url_for

from app.core.lifecycle import Shown, shown
from app.core.policy import Principal, may
from app.core.timecode import Timecode
from app.models import Comment, Master, Preview, Project, Version
from app.web.described import described_facts
from app.web.filters import human_bytes
from app.workflows.cancel_preview import is_being_built
from app.workflows.list_assets import Running


@dataclass(frozen=True)
class OrganizationView:
    name: str


@dataclass(frozen=True)
class ProjectView:
    id: UUID
    name: str
    client: str | None
    href: str
    asset_count: int = 0
    locked_size: str = ""
    can_upload: bool = False


@dataclass(frozen=True)
class StatusView:
    """A row of the lifecycle's table, with the numbers of the work that runs now."""

    code: str
    word: str
    kind: str
    icon: str
    detail: str
    progress: int | None
    settled: bool
    retry: bool


@dataclass(frozen=True)
class LockView:
    mode: str
    retain_until: datetime
    legal_hold: bool
    verified_at: datetime
    key: str
    storage_version: str | None


@dataclass(frozen=True)
class PreviewView:
    """`rebuilding` is how far a build is (per cent) that will replace the present one; None where there is none."""

    state: str
    progress: int
    reason: str | None
    rebuilding: int | None = None
    can_cancel: bool = False
    can_rebuild: bool = False


@dataclass(frozen=True)
class VersionView:
    id: UUID
    number: int
    file_name: str
    size: int
    size_human: str
    sha256: str | None
    claimed: str | None
    uploader: str
    created: datetime
    status: StatusView
    lock: LockView | None
    facts: list[tuple[str, str]]
    preview: PreviewView | None
    error: str | None


@dataclass(frozen=True)
class AssetTile:
    id: UUID
    title: str
    href: str
    review_href: str
    status: StatusView
    version_number: int
    duration: str
    poster: str | None
    comment_count: int
    vertical: bool
    created: datetime


@dataclass(frozen=True)
class RoomLinks:
    """Where the room asks and posts: a member's and a guest's lie in different places."""

    show: Callable[[int], str]
    delete: Callable[[UUID], str]
    comments: str
    preview_status: str
    post: str
    facts: str | None = None
    retry: str | None = None


@dataclass(frozen=True)
class RoomView:
    asset_id: UUID
    title: str
    project: ProjectView
    version: VersionView
    versions: list[tuple[int, str, bool]]
    rate_num: int
    rate_den: int
    frame_count: int | None
    start_frame: int
    drop_frame: bool
    width: int
    height: int
    has_audio: bool
    #: Whether what plays is a list that still grows, under a master that names renditions not built yet.
    growing: bool
    ready: bool
    playback_href: str
    poster: str | None
    first_frame: int
    links: RoomLinks
    can_comment: bool = True
    notes: bool = True
    #: What lies behind the timeline, so that its place is kept from the start.
    has_storyboard: bool = False
    has_waveform: bool = False


@dataclass(frozen=True)
class CommentView:
    id: UUID
    author: str
    initials: str
    mine: bool
    guest: bool
    frame_in: int
    frame_out: int | None
    timecode: str
    timecode_out: str | None
    body: str
    created: datetime
    href: str
    can_delete: bool
    delete_href: str


def project_view(principal: Principal, project: Project, *, asset_count: int = 0, locked_bytes: int = 0) -> ProjectView:
    """A project as its pages show it."""
    return ProjectView(
        id=project.id,
        name=project.name,
        client=project.client.name if project.client else None,
        href=url_for("projects.show", project_id=project.id),
        asset_count=asset_count,
        locked_size=human_bytes(locked_bytes) if locked_bytes else "",
        can_upload=may(principal, "upload.create", project_id=project.id, organization_id=project.organization_id),
    )


def status_view(version: Version, running: Running | None) -> StatusView:
    """What people see of a version now."""
    preview = version.preview
    row = shown(version.state, preview.state if preview else None, running.step if running else None)
    return StatusView(
        code=row.code,
        word=row.word,
        kind=row.kind,
        icon=row.icon,
        detail=_detail(row, version),
        progress=_progress(row, version, running),
        settled=row.settled,
        retry=row.retry,
    )


def _progress(row: Shown, version: Version, running: Running | None) -> int | None:
    if row.code in ("checking", "locking") and running is not None:
        return min(99, running.progress * 2 % 100 if running.progress < 100 else 99)
    if row.code in ("building", "playable") and version.preview is not None:
        return version.preview.progress
    return None


def _detail(row: Shown, version: Version) -> str:
    preview_reason = version.preview.reason if version.preview else None
    return {
        "waiting": "All bytes are here. Checking begins in a moment.",
        "checking": "Reading every byte and computing the SHA-256 digest.",
        "locking": "The digest is right. Copying to the archive under lock.",
        "locked": "The master is safe. Its preview begins in a moment.",
        "building": "The master is locked. The preview is being built.",
        "rejected": version.error or "",
        "failed": version.error or "",
        "preview_failed": f"{preview_reason or 'The preview stopped.'} The master is safe.",
        "unsupported": preview_reason or "",
    }.get(row.code, "")


def version_view(version: Version, running: Running | None) -> VersionView:
    """A version with all its facts."""
    preview = version.preview
    return VersionView(
        id=version.id,
        number=version.number,
        file_name=version.file_name,
        size=version.size,
        size_human=human_bytes(version.size),
        sha256=version.sha256,
        claimed=version.claimed_sha256,
        uploader=version.uploader.name if version.uploader else "",
        created=version.created_at,
        status=status_view(version, running),
        lock=lock_view(version.master),
        facts=facts_of(preview),
        preview=_preview_view(preview) if preview else None,
        error=version.error,
    )


def _preview_view(preview: Preview) -> PreviewView:
    again = preview.next_build is not None
    return PreviewView(
        preview.state,
        preview.progress,
        preview.reason,
        rebuilding=preview.next_progress if again else None,
        can_cancel=is_being_built(preview),
        can_rebuild=preview.state in ("ready", "failed", "unsupported") and not again,
    )


def lock_view(master: Master | None) -> LockView | None:
    """The lock of a master as it was read back from the storage."""
    if master is None:
        return None
    return LockView(
        master.lock_mode,
        master.retain_until,
        master.legal_hold,
        master.verified_at,
        master.key,
        master.storage_version_id,
    )


def timecode_of(preview: Preview | None) -> Timecode | None:
    """How the frames of a preview are labelled."""
    if preview is None or not preview.rate_num or not preview.rate_den:
        return None
    return Timecode(Fraction(preview.rate_num, preview.rate_den), preview.drop_frame, preview.start_frame)


def duration_of(preview: Preview | None) -> str:
    """A preview's length as HH:MM:SS:FF, without leading zero hours and minutes."""
    timecode = timecode_of(preview)
    if timecode is None or preview is None or not preview.frame_count:
        return ""
    label = Timecode(timecode.rate, timecode.drop).label(preview.frame_count)
    return label.removeprefix("00:")


def facts_of(preview: Preview | None) -> list[tuple[str, str]]:
    """What the source is, for people: (label, value)."""
    if preview is None or not preview.probe:
        return []
    probe: Mapping[str, Any] = preview.probe
    rows = [("Container", container_words(str(probe.get("container", ""))))]
    video, audio = probe.get("video"), probe.get("audio") or ()
    if video:
        rows += _video_facts(video)
    timecode = timecode_of(preview)
    if timecode is not None and preview.frame_count and probe.get("kind") != "still":
        rows += [
            ("Frame rate", rate_words(timecode.rate)),
            ("Starts at", timecode.label(0)),
            ("Duration", Timecode(timecode.rate, timecode.drop).label(preview.frame_count)),
            ("Frames", f"{preview.frame_count:,}"),
        ]
    if audio:
        rows.append(("Sound", ", ".join(_audio_words(stream) for stream in audio[:4])))
    elif video:
        rows.append(("Sound", "none"))
    return rows + described_facts(preview)


def _video_facts(video: Mapping[str, Any]) -> list[tuple[str, str]]:
    codec = " ".join(filter(None, (str(video.get("codec", "")).upper(), video.get("profile"))))
    colour = colour_words(video)
    rows = [("Codec", codec), ("Size", f"{video.get('width')} × {video.get('height')}")]
    if video.get("field_order") in ("tff", "bff"):
        rows.append(("Scan", "interlaced"))
    if colour:
        rows.append(("Colour", colour))
    return rows


_RANGES = {"tv": "limited range", "mpeg": "limited range", "pc": "full range", "jpeg": "full range"}
_COLOURS = {
    "bt709": "BT.709", "bt2020": "BT.2020", "bt2020nc": "BT.2020", "smpte170m": "BT.601", "bt470bg": "BT.601",
    "smpte2084": "PQ (HDR10)", "arib-std-b67": "HLG", "gbr": "RGB",
}  # fmt: skip


def colour_words(video: Mapping[str, Any]) -> str:
    """`BT.709, limited range`; primaries, transfer and matrix are named apart only where they differ."""
    parts = [video.get(name) for name in ("color_primaries", "color_transfer", "color_matrix")]
    names = list(dict.fromkeys(_COLOURS.get(str(part), str(part)) for part in parts if part))
    spread = video.get("color_range")
    return ", ".join([*names, *([_RANGES.get(str(spread), str(spread))] if spread else [])])


def _audio_words(stream: Mapping[str, Any]) -> str:
    channels = int(stream.get("channels") or 0)
    layout = stream.get("layout") or f"{channels} channel{'s' if channels != 1 else ''}"
    return f"{str(stream.get('codec', '')).upper()} {layout}, {int(stream.get('sample_rate') or 0) / 1000:g} kHz"


#: ffmpeg's demuxer names, as people call the files.
_CONTAINERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": "QuickTime / MP4",
    "matroska,webm": "Matroska / WebM",
    "mxf": "MXF",
    "mpegts": "MPEG transport stream",
    "mpeg": "MPEG program stream",
    "avi": "AVI",
    "wav": "WAV",
    "png_pipe": "PNG",
    "jpeg_pipe": "JPEG",
    "tiff_pipe": "TIFF",
}


def container_words(name: str) -> str:
    """A container as people call it, else ffmpeg's name for it."""
    return _CONTAINERS.get(name, name.upper())


def rate_words(rate: Fraction) -> str:
    """`25`, `29.97 (30000/1001)`."""
    if rate.denominator == 1:
        return f"{rate.numerator} frames a second"
    return f"{float(rate):.3f}".rstrip("0") + f" frames a second ({rate.numerator}/{rate.denominator})"


def comment_views(
    principal: Principal, version: Version, comments: Sequence[Comment], links: RoomLinks
) -> list[CommentView]:
    """The comments of one version, in frame order."""
    timecode = timecode_of(version.preview)
    project = version.asset.project
    any_ = may(principal, "comment.change_any", project_id=project.id, organization_id=project.organization_id)
    return [_comment_view(principal, comment, timecode, any_, links) for comment in comments]


def _comment_view(
    principal: Principal, comment: Comment, timecode: Timecode | None, any_: bool, links: RoomLinks
) -> CommentView:
    mine = principal.wrote(comment.author_id, comment.guest_id)
    words = comment.by.split() or ["?"]
    out = comment.frame_out
    return CommentView(
        id=comment.id,
        author=comment.by,
        initials="".join(w[0] for w in words[:2]).upper(),
        mine=mine,
        guest=comment.guest_id is not None,
        frame_in=comment.frame_in,
        frame_out=out,
        timecode=timecode.label(comment.frame_in) if timecode else str(comment.frame_in),
        timecode_out=timecode.label(out) if timecode and out is not None else None,
        body=comment.body,
        created=comment.created_at,
        href=f"{links.show(comment.frame_in)}#comment-{comment.id}",
        can_delete=mine or any_,
        delete_href=links.delete(comment.id),
    )
