"""One-use links: made, sent, opened once, closed."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.passwords import new_token
from app.core.telemetry import scrub
from app.models import Activity, Invitation, Membership, User, utc_now
from tests.factories import House, make_house
from tests.support.pages import Browser, words

PASSWORD = "correct horse battery"


@pytest.fixture
def link(boss: Browser) -> Callable[..., str]:
    """Invites and returns the path of the link."""

    def invite(email: str = "new@example.org", **fields: object) -> str:
        answer = boss.post("/people/invitations", {"email": email, "role": "member", **fields})
        assert answer.status_code == 303, words(answer)
        page = boss.get("/people")
        found = re.search(r"http://localhost(/join/[A-Za-z0-9_-]{43})", page.get_data(as_text=True))
        assert found, words(page)
        return found[1]

    return invite


def test_a_link_is_shown_once_and_opens_once(
    pages_app: Flask, boss: Browser, house: House, rows: Session, link: Callable[..., str]
) -> None:
    path = link("Ada@Example.org", project_id=str(house.project.id), project_role="editor")
    assert "/join/" not in boss.get("/people").get_data(as_text=True)
    guest = Browser(pages_app)
    page = guest.get(path)
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "Join Kestrel Post" in words(page)
    assert "ada@example.org" in words(page)
    assert guest.post(path, {"name": " Ada  Lovelace ", "password": PASSWORD}).status_code == 303
    assert guest.get("/").status_code == 200
    user = rows.scalars(select(User).where(User.email == "ada@example.org")).one()
    assert (user.name, user.role, user.organization_id) == ("Ada Lovelace", "member", house.organization.id)
    role = rows.scalars(select(Membership.role).where(Membership.user_id == user.id)).one()
    assert role == "editor"
    again = Browser(pages_app)
    assert again.get(path).status_code == 404
    assert again.post(path, {"name": "Eve", "password": PASSWORD}).status_code == 404
    assert path.removeprefix("/join/") not in str(rows.scalars(select(Invitation.token_hash)).all())
    assert Browser(pages_app).sign_in("ADA@example.org", PASSWORD).status_code == 303


def test_of_two_who_redeem_at_once_one_wins(pages_app: Flask, rows: Session, link: Callable[..., str]) -> None:
    path = link("race@example.org")
    browsers = [Browser(pages_app) for _ in range(4)]
    for browser in browsers:
        browser.get(path)
    start, statuses = threading.Barrier(len(browsers)), []

    def redeem(browser: Browser, name: str) -> None:
        start.wait()
        statuses.append(browser.post(path, {"name": name, "password": PASSWORD}).status_code)

    threads = [threading.Thread(target=redeem, args=(b, f"No {n}")) for n, b in enumerate(browsers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [303, 404, 404, 404]
    assert rows.scalar(select(func.count()).where(User.email == "race@example.org")) == 1


def test_closed_links_look_like_unknown_ones(
    pages_app: Flask, boss: Browser, rows: Session, link: Callable[..., str]
) -> None:
    unknown = Browser(pages_app).get("/join/" + "A" * 43)
    assert unknown.status_code == 404
    revoked = link("revoked@example.org")
    invitation = rows.scalars(select(Invitation).where(Invitation.email == "revoked@example.org")).one()
    assert boss.post(f"/people/invitations/{invitation.id}/revoke").status_code == 303
    expired = link("expired@example.org")
    rows.execute(
        update(Invitation).where(Invitation.email == "expired@example.org").values(expires_at=utc_now() - timedelta(1))
    )
    rows.commit()
    replaced = link("twice@example.org")
    link("twice@example.org")
    for path in (revoked, expired, replaced, "/join/short", "/join/" + "é" * 43):
        answer = Browser(pages_app).get(path)
        assert answer.status_code == 404, path
        assert without_ids(words(answer)) == without_ids(words(unknown))
        assert Browser(pages_app).post(path, {"name": "Eve", "password": PASSWORD}).status_code == 404


def test_what_is_refused_stays_on_the_form(
    pages_app: Flask, boss: Browser, rows: Session, link: Callable[..., str]
) -> None:
    path = link("careful@example.org")
    guest = Browser(pages_app)
    short = guest.post(path, {"name": "Grace", "password": "short"})
    assert (short.status_code, "12 characters or more" in words(short)) == (422, True)
    assert 'value="Grace"' in short.get_data(as_text=True)
    assert "short" not in short.get_data(as_text=True).replace("shortcut", "")
    assert guest.post(path, {"name": " ", "password": PASSWORD}).status_code == 422
    make_house(rows, "Wren").user.email = "taken@example.org"
    rows.commit()
    other = link("taken@example.org")
    assert Browser(pages_app).post(other, {"name": "Eve", "password": PASSWORD}).status_code == 409
    assert guest.post(path, {"name": "Grace", "password": PASSWORD}).status_code == 303
    for email, status in (("careful@example.org", 409), ("nobody", 422), ("", 422)):
        answer = boss.post("/people/invitations", {"email": email, "role": "member"})
        assert answer.status_code == status, email
    assert boss.post("/people/invitations", {"email": "x@example.org", "role": "owner"}).status_code == 422


def test_each_act_is_recorded_without_the_address(rows: Session) -> None:
    seen = rows.scalars(select(Activity)).all()
    assert {"person.invited", "invitation.revoked", "person.joined"} <= {activity.action for activity in seen}
    for activity in seen:
        assert "@" not in str(activity.data), activity.action


def test_links_are_cut_from_logs() -> None:
    path = "/join/" + new_token()[4:]
    assert path not in scrub(f"GET {path} 200")


def without_ids(text: str) -> str:
    """Without the number of the request."""
    return re.sub(r"Request [0-9a-f]{16}", "", text)
