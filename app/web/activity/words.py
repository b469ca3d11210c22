"""Activities in words: "Ada commented on Reel 2 at 01:00:04:05"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.web.links import href_of
from app.workflows.list_activities import Listed

#: Action → what the actor did; the thing's name follows. An action that is not here is told by its own words.
VERBS: Mapping[str, str] = {
    "upload.completed": "uploaded",
    "upload.aborted": "cancelled the upload of",
    "upload.expired": "gave up the upload, which nobody continued, of",
    "version.received": "added",
    "version.promoted": "locked",
    "version.rejected": "refused",
    "version.failed": "could not lock",
    "version.rebuilt": "entered again, from the archive,",
    "preview.pending": "began the preview anew of",
    "preview.building": "began the preview of",
    "preview.playable": "made playable",
    "preview.ready": "finished the preview of",
    "preview.failed": "stopped the preview of",
    "preview.unsupported": "archived without a preview",
    "preview.rebuild": "asked for a new build of the preview of",
    "preview.replaced": "put a new build in place of the preview of",
    "preview.kept": "gave up a new build and kept the preview of",
    "preview.begun_again": "began the preview anew, with another encoder, of",
    "comment.posted": "commented on",
    "comment.edited": "changed a comment on",
    "comment.deleted": "took back a comment on",
    "share.created": "made the link",
    "share.changed": "changed the link",
    "share.revoked": "revoked the link",
    "share.renewed": "renewed the link",
    "share.opened": "opened the link",
    "share.refused": "tried a wrong password for the link",
    "share.listed": "looked at the list of the link",
    "share.viewed": "watched by the link",
    "share.proxy_downloaded": "downloaded a proxy by the link",
    "share.master_downloaded": "downloaded a master by the link",
    "master.downloaded": "downloaded the master of",
    "person.invited": "invited",
    "person.joined": "joined as",
    "person.deactivated": "deactivated",
    "person.reactivated": "reactivated",
    "person.renamed": "changed a name, now",
    "person.role_changed": "changed the role of",
    "person.added": "added",
    "password.changed": "changed the password of",
    "password.set": "set a new password for",
    "invitation.revoked": "took back the invitation of",
    "member.added": "added",
    "member.removed": "removed",
    "member.role_changed": "changed the role of",
    "session.begun": "signed in",
    "session.ended": "signed out",
    "session.all_ended": "signed out everywhere",
    "token.made": "made the API token",
    "token.revoked": "revoked the API token",
    "project.created": "created the project",
    "project.renamed": "renamed the project, now",
    "project.client_changed": "changed the client of",
    "project.2160_changed": "changed the preview sizes of",
    "asset.moved": "moved",
    "asset.renamed": "renamed, now",
    "collection.created": "created the collection",
    "collection.renamed": "renamed the collection, now",
    "collection.deleted": "deleted the collection",
    "client.created": "created the client",
    "client.renamed": "renamed the client, now",
    "client.deleted": "deleted the client",
    "job.cancelled": "cancelled work on",
    "job.retried": "tried again work on",
    "personal.erased": "erased personal fields of",
}
#: The same, done to oneself: nothing follows.
SELF: Mapping[str, str] = {
    "password.changed": "changed their password",
    "person.joined": "joined",
    "person.renamed": "changed their name",
}
#: Noun of an action → icon; a few actions have their own.
ICONS: Mapping[str, str] = {
    "upload": "up", "version": "film", "version.promoted": "lock", "version.rejected": "stop", "version.failed": "warn",
    "preview": "play", "preview.unsupported": "lock", "preview.ready": "done", "preview.failed": "warn",
    "master": "down", "comment": "note",
    "share": "share", "share.revoked": "cross", "person": "user", "member": "user", "invitation": "user",
    "session": "key", "password": "key", "token": "key", "project": "bin", "asset": "film", "collection": "bin",
    "client": "bin", "job": "clock", "personal": "trash",
}  # fmt: skip
SYSTEM = "Rushes"


@dataclass(frozen=True)
class Entry:
    """One line of the log, ready to be read."""

    id: UUID
    icon: str
    actor: str
    guest: bool
    by_token: bool
    verb: str
    subject: str
    href: str | None
    tail: str
    project: str | None
    at: datetime
    sequence: int | None
    ip: str
    user_agent: str


def entry(listed: Listed) -> Entry:
    """An activity as its line."""
    row, people = listed.row, listed.people or {}
    noun = row.action.partition(".")[0]
    to_self = row.action in SELF and row.target_id == row.actor_id
    subject = listed.subject.text if listed.subject else _kept_name(row.data)
    return Entry(
        id=row.id,
        icon=ICONS.get(row.action) or ICONS.get(noun, "info"),
        actor=SYSTEM if row.actor_kind == "system" else listed.actor or _nobody(row.actor_kind),
        guest=row.actor_kind == "guest",
        by_token=row.actor_kind == "token",
        verb=SELF[row.action] if to_self else VERBS.get(row.action) or _plain(row.action),
        subject="" if to_self else subject,
        href=href_of(row.target_kind, listed.subject),
        tail=_tail(listed),
        project=listed.project if row.target_kind != "project" else None,
        at=row.created_at,
        sequence=row.sequence,
        ip=str(people.get("ip", "")),
        user_agent=str(people.get("userAgent", "")),
    )


def _plain(action: str) -> str:
    """An action that has no words yet: "share renewed:"."""
    return f"{action.replace('.', ' ').replace('_', ' ')}:"


def _nobody(kind: str) -> str:
    return "A guest" if kind == "guest" else "Somebody"


def _kept_name(data: Mapping[str, Any]) -> str:
    """The name that the activity itself kept of a thing that is gone."""
    return str(data.get("name") or data.get("title") or "")


def _tail(listed: Listed) -> str:
    """What else is worth saying, behind the thing's name."""
    row, data = listed.row, listed.row.data
    role = data.get("projectRole") or data.get("role")
    if row.action == "version.promoted" and listed.subject and listed.subject.by:
        return f"sent by {listed.subject.by}"
    if "code" in data:
        return str(data["code"]).replace("_", " ")
    if "from" in data:
        return f"from {data['from'] or 'none'} to {data['to'] or 'none'}" if "to" in data else f"before: {data['from']}"
    if role and row.action in ("member.added", "person.joined", "person.invited"):
        return f"as {role}"
    return ""
