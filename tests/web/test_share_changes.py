"""What the owner of a share changes acts at once, on pages and on media."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import EdgeEvent, MediaScope, utc_now
from tests.support.api import Api
from tests.support.guests import (
    FRAGMENT,
    PASSWORD,
    Link,
    MakeShare,
    Visitor,
    playback,
)
from tests.support.running import Running


def denied(session: Session, link: Link) -> set[str]:
    """Handles of the share that every edge was told to refuse."""
    session.rollback()
    handles = session.scalars(
        select(MediaScope.handle).where(MediaScope.share_id == UUID(link.id), MediaScope.denied_at.is_not(None))
    ).all()
    told = session.scalars(select(EdgeEvent.subject).where(EdgeEvent.kind == "deny", EdgeEvent.subject.in_(handles)))
    assert set(told) == set(handles)
    return set(handles)


def handle(described: dict[str, Any]) -> str:
    return str(described["token"].split(".")[1])


def test_revoking_ends_pages_and_media(
    share: MakeShare, visitor: Visitor, admin: Api, film: str, fresh: Session, stack: Running
) -> None:
    link = share()
    visitor.come_in(link.path)
    _, described = playback(visitor, link, film)
    assert admin.call("DELETE", f"/api/shares/{link.id}")[0] == 204
    assert visitor.get(f"{link.path}/assets/{film}").status == 404
    polled = visitor.get(f"{link.path}/assets/{film}/comments", FRAGMENT)
    assert (polled.status, polled.headers["HX-Redirect"]) == (404, link.path)
    assert playback(visitor, link, film)[0] == 404
    assert denied(fresh, link) == {handle(described)}
    assert admin.call("DELETE", f"/api/shares/{link.id}")[0] == 204  # again is the same
    assert admin.call("PATCH", f"/api/shares/{link.id}", {"name": "x"})[0] == 409


def test_a_new_password_ends_visits_and_keeps_the_link(
    share: MakeShare, visitor: Visitor, admin: Api, film: str, fresh: Session
) -> None:
    link = share(password=PASSWORD)
    assert visitor.come_in(link.path, password=PASSWORD).status == 200
    _, described = playback(visitor, link, film)
    status, changed = admin.call("PATCH", f"/api/shares/{link.id}", {"password": "another one"})
    assert (status, changed["link"]) == (200, link.url)
    assert visitor.get(f"{link.path}/assets/{film}").status == 303
    assert denied(fresh, link) == {handle(described)}
    assert visitor.come_in(link.path, password=PASSWORD).status == 422
    assert visitor.come_in(link.path, password="another one").status == 200


def test_less_of_it_keeps_visits_and_ends_old_addresses(
    share: MakeShare, visitor: Visitor, admin: Api, film: str, other_film: str, fresh: Session
) -> None:
    link = share(assetIds=[film, other_film], download="proxy")
    assert visitor.come_in(link.path).status == 200
    _, before = playback(visitor, link, film)
    assert handle(before)[0] == "d"
    assert admin.call("PATCH", f"/api/shares/{link.id}", {"assetIds": [other_film], "download": "none"})[0] == 200
    assert visitor.get(f"{link.path}/assets/{film}").status == 404
    status, after = playback(visitor, link, other_film)
    assert (status, handle(after)[0]) == (200, "v")
    assert denied(fresh, link) == {handle(before)}
    assert admin.call("PATCH", f"/api/shares/{link.id}", {"name": "Another name", "mayComment": False})[0] == 200
    assert denied(fresh, link) == {handle(before)}  # nothing was taken away that media knew of


def test_addresses_end_with_the_share(
    share: MakeShare, visitor: Visitor, film: str, admin: Api, fresh: Session
) -> None:
    end = utc_now() + timedelta(seconds=90)
    link = share(expiresAt=end.isoformat())
    visitor.come_in(link.path)
    _, described = playback(visitor, link, film)
    assert int(described["token"].split(".")[0]) <= end.timestamp()
    assert 0 < described["expiresIn"] <= 90
    late = {"expiresAt": (utc_now() - timedelta(days=1)).isoformat()}
    assert admin.call("PATCH", f"/api/shares/{link.id}", late)[0] == 422
    assert admin.call("PATCH", f"/api/shares/{link.id}", {"expiresAt": None})[1]["expiresAt"] is None
