"""The house's side of a share: roles, terms, pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.models import Share
from tests.support.api import Api
from tests.support.guests import (
    FRAGMENT,
    ISSUED,
    PASSWORD,
    MakeShare,
    Visitor,
)
from tests.support.running import Running
from tests.web.conftest import Known


def test_members_need_the_role(
    member: Callable[[str], Known], stranger: Known, share: MakeShare, stack: Running, film: str
) -> None:
    link = share()
    body = {"projectId": stack.project_id, "name": "x", "assetIds": [film]}
    for role, status in (("viewer", 403), ("reviewer", 403), ("editor", 201)):
        known = member(role)
        assert known.api.call("POST", "/api/shares", body)[0] == status, role
        assert known.api.call("PATCH", f"/api/shares/{link.id}", {"name": "x"})[0] == (200 if status == 201 else 403)
    for method, path, sent in (
        ("GET", f"/api/shares?projectId={stack.project_id}", None),
        ("POST", "/api/shares", body),
        ("PATCH", f"/api/shares/{link.id}", {"name": "x"}),
        ("DELETE", f"/api/shares/{link.id}", None),
    ):
        assert stranger.api.call(method, path, sent)[0] == 404, path
    assert stranger.api.call("GET", "/api/shares")[1]["items"] == []


def test_terms_are_checked(admin: Api, stack: Running, film: str, stranger: Known) -> None:
    good = {"projectId": stack.project_id, "name": "x", "assetIds": [film]}
    for change in (
        {"name": " "},
        {"name": "x" * 121},
        {"assetIds": []},
        {"assetIds": [str(uuid4())]},
        {"password": "short"},
        {"download": "everything"},
        {"expiresAt": "2001-01-01T00:00:00Z"},
        {"expiresAt": "2031-01-01T00:00:00"},
        {"unknown": 1},
        {"mayComment": "yes"},
    ):
        status, body = admin.call("POST", "/api/shares", {**good, **change})
        assert status == 422, (change, body)
        assert body["detail"]
    theirs = {**good, "projectId": stranger.project_id}
    assert admin.call("POST", "/api/shares", theirs)[0] == 404


def test_the_owners_pages(stack: Running, film: str, fresh: Session) -> None:
    owner = Visitor(stack.url)
    assert owner.post("/sign-in", {"email": stack.email, "password": stack.password}).status == 303
    shares, terms = f"/projects/{stack.project_id}/shares", {"assets": film, "may": "watch", "download": "proxy"}
    page = owner.get(f"{shares}/new?asset={film}")
    assert re.search(rf'value="{film}" checked'.encode(), page.data)
    assert owner.get(f"{shares}/new?asset=nonsense").status == 422
    for wrong in ({"name": ""}, {"name": "x", "expires": "31.12.2099"}, {"name": "x", "expires": "2001-01-01"}):
        refused = owner.post(shares, {**terms, **wrong})
        assert refused.status == 422
        assert re.search(rf'value="{film}" checked'.encode(), refused.data)
        assert b'aria-invalid="true"' in refused.data
    made = owner.post(shares, {**terms, "name": "By hand <1>", "expires": "2099-12-31", "password": PASSWORD})
    assert made.status == 303
    here = made.headers["Location"]
    share_id = UUID(here.rpartition("/")[2])
    row = fresh.get_one(Share, share_id)
    assert row.expires_at is not None
    assert row.expires_at.isoformat() == "2099-12-31T23:59:59+00:00"
    first = link_on(owner.get(here))
    assert b"By hand &lt;1&gt;" in owner.get(shares).data
    guest = Visitor(stack.url)
    assert guest.come_in(first, password=PASSWORD).status == 200
    assert b"M. Okafor" in owner.get(f"{here}/visits", FRAGMENT).data

    kept = {**terms, "name": "By hand", "expires": "2099-12-31", "download": "none"}
    assert owner.post(here, kept).status == 303
    assert guest.get(f"{urlsplit(first).path}/assets/{film}").status == 200
    assert owner.post(here, {**kept, "assets": str(uuid4())}).status == 422
    assert owner.post(here, {**kept, "no_password": "1"}).status == 303
    assert guest.get(f"{urlsplit(first).path}/assets/{film}").status == 303
    assert owner.post(f"{here}/renew", {}).status == 303
    second = link_on(owner.get(here))
    assert second != first
    assert guest.get(first).status == 404
    assert guest.come_in(second).status == 200
    assert owner.post(f"{here}/revoke", {}).status == 303
    assert b"share-link" not in owner.get(here).data
    assert owner.post(here, kept).status == 409
    assert here.encode() in owner.get(f"{shares}?closed=1").data
    assert here.encode() not in owner.get(shares).data
    assert owner.post(f"{here}/renew", {}).status == 303
    assert guest.come_in(link_on(owner.get(here))).status == 200
    ISSUED.extend(urlsplit(link).path.removeprefix("/s/") for link in (first, second))


def link_on(page: Any) -> str:
    """The link that a share's page shows."""
    found = re.search(rb'id="share-link"[^>]*>([^<]+)<', page.data)
    assert found, page.data[:200]
    return found[1].decode()
