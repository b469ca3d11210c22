"""The three states, the one function that changes them, and what people are shown.

| aggregate | states                                              | a state is a fact                          |
|-----------|-----------------------------------------------------|--------------------------------------------|
| upload    | open → completed, or aborted, expired               | open: parts may arrive                     |
| version   | received → promoted, or rejected, failed            | promoted: the bytes are in masters, locked |
| preview   | pending → building → playable → ready, or failed, unsupported | ready: the whole ladder plays    |

Who is working on something is a lease of a job, never a state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.core import audit
from app.core.errors import Conflict
from app.models import Preview, Upload, Version

Aggregate = Upload | Version | Preview

STATES: Mapping[type[Aggregate], tuple[str, ...]] = {
    Upload: ("open", "completed", "aborted", "expired"),
    Version: ("received", "promoted", "rejected", "failed"),
    Preview: ("pending", "building", "playable", "ready", "failed", "unsupported"),
}

TRANSITIONS: Mapping[type[Aggregate], frozenset[tuple[str, str]]] = {
    Upload: frozenset({("open", "completed"), ("open", "aborted"), ("open", "expired")}),
    Version: frozenset(
        {("received", "promoted"), ("received", "rejected"), ("received", "failed"), ("failed", "received")}
    ),
    Preview: frozenset(
        {
            ("pending", "building"),
            ("pending", "unsupported"),
            ("pending", "failed"),
            ("building", "playable"),
            ("building", "unsupported"),
            ("building", "failed"),
            ("playable", "ready"),
            ("playable", "failed"),
            ("failed", "pending"),
            ("unsupported", "pending"),
        }
    ),
}


def advance(
    session: Session,
    thing: Aggregate,
    to: str,
    *,
    actor: audit.Actor,
    organization_id: UUID,
    project_id: UUID | None = None,
    values: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Change a state and write the activity, in the caller's transaction. Nothing else writes a state.

    The row is updated only where it still has the state that `thing` was read with, so of two that race one
    wins. `values` are columns that are part of the same fact. Raises Conflict when the transition does not
    exist or somebody was faster; `thing` is refreshed on success.
    """
    model, before = type(thing), thing.state
    kind = model.__name__.lower()
    if (before, to) not in TRANSITIONS[model]:
        raise Conflict(f"{kind}_is_{before}", f"This {kind} is {before} and cannot become {to}.")
    changed = session.execute(
        update(model)
        .where(model.id == thing.id, model.state == before)
        .values(state=to, **(values or {}))
        .execution_options(synchronize_session=False)
        .returning(model.id)
    ).scalar_one_or_none()
    if changed is None:
        raise Conflict(f"{kind}_changed", f"This {kind} has just been changed by somebody else. Reload.")
    audit.record(
        session,
        actor,
        f"{kind}.{to}",
        organization_id=organization_id,
        project_id=project_id,
        target_kind=kind,
        target_id=thing.id,
        data=data,
    )
    session.refresh(thing)


@dataclass(frozen=True)
class Shown:
    """What people see of a version: one row of the table below.

    `kind` is the tone ("", ok, warn, bad, info), `icon` an id in icons.svg; `settled` says that nothing more
    will change by itself; `retry` that a person may try again.
    """

    code: str
    word: str
    kind: str
    icon: str
    settled: bool = False
    retry: bool = False


SHOWN: Mapping[str, Shown] = {
    row.code: row
    for row in (
        Shown("uploading", "Uploading", "", "up"),
        Shown("waiting", "Waiting", "", "clock"),
        Shown("checking", "Checking", "", "clock"),
        Shown("locking", "Locking", "", "lock"),
        Shown("locked", "Locked", "ok", "lock"),
        Shown("building", "Building preview", "", "clock"),
        Shown("playable", "Playable", "", "play"),
        Shown("ready", "Ready", "ok", "done", settled=True),
        Shown("unsupported", "Archived, no preview", "warn", "lock", settled=True),
        Shown("rejected", "Rejected", "bad", "stop", settled=True),
        Shown("failed", "Failed", "bad", "warn", settled=True, retry=True),
        Shown("preview_failed", "Locked, preview failed", "bad", "warn", settled=True, retry=True),
    )
}

#: (version state, preview state or None, step of the running promotion or None) → code. First match wins; "*" is any.
_TABLE: tuple[tuple[str, str, str, str], ...] = (
    ("rejected", "*", "*", "rejected"),
    ("failed", "*", "*", "failed"),
    ("received", "*", "locking", "locking"),
    ("received", "*", "checking", "checking"),
    ("received", "*", "*", "waiting"),
    ("promoted", "building", "*", "building"),
    ("promoted", "playable", "*", "playable"),
    ("promoted", "ready", "*", "ready"),
    ("promoted", "failed", "*", "preview_failed"),
    ("promoted", "unsupported", "*", "unsupported"),
    ("promoted", "*", "*", "locked"),
)

#: code → `state` of /api/assets/{id}/proxy-status
PROXY_STATUS: Mapping[str, str] = {
    "uploading": "queued",
    "waiting": "queued",
    "checking": "queued",
    "locking": "queued",
    "locked": "queued",
    "building": "processing",
    "playable": "processing",
    "ready": "complete",
    "unsupported": "error",
    "rejected": "error",
    "failed": "error",
    "preview_failed": "error",
}


def shown(version_state: str, preview_state: str | None, step: str | None) -> Shown:
    """What people see of a version in these states; `step` is that of the promotion that runs now."""
    facts = (version_state, preview_state or "", step or "")
    for *pattern, code in _TABLE:
        if all(want in ("*", fact) for want, fact in zip(pattern, facts, strict=True)):
            return SHOWN[code]
    raise ValueError(f"no row for {facts}")
