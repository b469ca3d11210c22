"""Every object key, one function each (design 5). No other module puts a key together.

staging   {upload id}
masters   {organisation}/sha256/{aa}/{sha}
previews  {kind}/{media}/{build}/{name…}
docs      manifests/{organisation}/{sha}/{version}.json
backups   postgres/{year}/{month}/{time}-{migration}.dump, audit/{organisation}/{sequence}.json
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from uuid import UUID

KINDS = ("hls", "mp4", "thumbs", "waveforms", "captions", "stills", "files")

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)


def media_id(secret: bytes, preview_id: UUID) -> str:
    """The public name of a preview: HMAC-SHA256 (RFC 2104) of its row id, as 64 hex digits.

    Keyed, so that nobody can guess or probe another organisation's previews by digest or by row id.
    """
    return hmac.new(secret, b"media\n" + preview_id.bytes, hashlib.sha256).hexdigest()


def staging(upload_id: UUID) -> str:
    """Where the parts of an upload arrive: 32 hex digits, unguessable to others than its uploader."""
    return upload_id.hex


def master(organization_id: UUID, sha256: str) -> str:
    """Where a master lies, addressed by its own digest within its organisation."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError("a master is addressed by 64 lower-case hex digits")
    return f"{organization_id}/sha256/{sha256[:2]}/{sha256}"


def preview(kind: str, media: str, build: str, *names: str) -> str:
    """Where one file of a preview build lies; also what follows the token in an edge URL."""
    if kind not in KINDS or not _SHA256.fullmatch(media):
        raise ValueError("unknown kind or malformed media id")
    if not 1 <= len(names) <= 4 or not all(_SEGMENT.fullmatch(part) for part in (build, *names)):
        raise ValueError("names of preview objects are one to four segments of [A-Za-z0-9._-]")
    return "/".join((kind, media, build, *names))


def preview_build(kind: str, media: str, build: str) -> str:
    """What the keys of all files of one kind of a build begin with."""
    return preview(kind, media, build, "x").removesuffix("x")


MANIFESTS = "manifests/"
BACKUPS = "postgres/"


def manifest(organization_id: UUID, sha256: str, version_id: UUID) -> str:
    """The record of one version's promotion, kept in docs."""
    return f"{MANIFESTS}{organization_id}/{sha256}/{version_id}.json"


def backup(moment: datetime, revision: str) -> str:
    """A dump of the database at that moment (UTC) and migration; names sort by time."""
    return f"{BACKUPS}{moment:%Y/%m}/{moment:%Y%m%dT%H%M%SZ}-{revision}.dump"


def audit_head(organization_id: UUID, sequence: int) -> str:
    """The head of an organisation's activity log at that row, kept in docs under lock."""
    return f"audit/{organization_id}/{sequence}.json"


def audit_latest(organization_id: UUID) -> str:
    """A copy of the head that was published last, so that nobody needs to list."""
    return f"audit/{organization_id}/latest.json"
