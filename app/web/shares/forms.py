"""What the form of a share says."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from uuid import UUID

from flask import request

from app.core.errors import Rejected
from app.models import Share, utc_now
from app.web.forms import form_ids
from app.workflows.share_terms import DEFAULT_LIFE, Keep, Terms


def posted_terms(share: Share | None) -> Terms:
    """The terms that were sent; for a share that is there, an empty password keeps the old one. Raises Rejected."""
    return Terms(
        name=request.form.get("name", ""),
        asset_ids=form_ids("assets"),
        password=_password(share),
        expires_at=_end(share),
        may_comment=request.form.get("may", "comment") == "comment",
        download=request.form.get("download", "none"),
    )


def _password(share: Share | None) -> str | Keep | None:
    typed = request.form.get("password", "")
    if request.form.get("no_password"):
        return None
    if typed:
        return typed
    return Keep.PASSWORD if share is not None else None


def _end(share: Share | None) -> datetime | None:
    """The last moment of the day that was chosen (UTC). A share made for an hour keeps it while its day stays."""
    text = request.form.get("expires", "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day, time.max, UTC).replace(microsecond=0)
    except ValueError:
        sentence = "Write the day as year-month-day, like 2031-03-14."
        raise Rejected("bad_expires", sentence, fields={"expires_at": sentence}) from None
    if share is not None and share.expires_at is not None and share.expires_at.astimezone(UTC).date() == day:
        return share.expires_at
    return end


def default_values(chosen: list[UUID]) -> dict[str, object]:
    """What a new form shows."""
    end = (utc_now() + DEFAULT_LIFE).astimezone(UTC).date()
    return {"name": "", "expires": end.isoformat(), "may": "comment", "download": "none", "assets": set(chosen)}


def values_of(share: Share) -> dict[str, object]:
    """What the form of a share that is there shows."""
    return {
        "name": share.name,
        "expires": share.expires_at.astimezone(UTC).date().isoformat() if share.expires_at else "",
        "may": "comment" if share.may_comment else "watch",
        "download": share.download,
        "assets": {asset.id for asset in share.assets},
    }


def posted_values() -> dict[str, object]:
    """What had been chosen and typed, but the password."""
    kept = {name: request.form.get(name, "") for name in ("name", "expires", "may", "download")}
    return {**kept, "assets": set(form_ids("assets"))}


def today() -> str:
    """The first day that a share may end on, as the date input wants it."""
    return utc_now().astimezone(UTC).date().isoformat()
