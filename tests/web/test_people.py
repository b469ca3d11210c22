"""Who comes in, as what, and who is shut out: on a real database, through the pages."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.passwords import hash_password, hash_token, new_token
from app.core.telemetry import scrub
from app.models import (
    Activity,
    ApiToken,
    EdgeEvent,
    Invitation,
    MediaScope,
    Membership,
    User,
    UserSession,
    utc_now,
)
from app.workflows.change_membership import remove_member
from app.workflows.member_scope import member_scope
from tests.factories import House, make_house, make_user
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


def test_members_have_no_pages_of_admins(pages_app: Flask, rows: Session, house: House) -> None:
    member = Browser(pages_app)
    member.be(rows, make_user(rows, house.organization, project=house.project))
    for path in (
        "/people",
        "/clients",
        f"/projects/{house.project.id}/people",
        f"/projects/{house.project.id}/settings",
    ):
        assert member.get(path).status_code == 403, path
    assert member.post("/people/invitations", {"email": "x@example.org"}).status_code == 403
    assert member.post(f"/people/{house.user.id}/deactivate").status_code == 403
    assert "/people" not in member.get("/").get_data(as_text=True)


def test_deactivation_ends_everything_at_once(pages_app: Flask, boss: Browser, rows: Session, house: House) -> None:
    user = make_user(rows, house.organization, project=house.project, project_role="editor")
    user.password_hash = hash_password(PASSWORD)
    token = new_token()
    rows.add(ApiToken(organization_id=house.organization.id, user_id=user.id, name="t", token_hash=hash_token(token)))
    browser = Browser(pages_app)
    browser.be(rows, user)
    handle = member_scope(rows, user.id, house.project.id)
    rows.commit()
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/").status_code == 200
    assert browser.client.get("/api/assets", headers=bearer).status_code == 200
    assert boss.post(f"/people/{user.id}/deactivate").status_code == 303
    assert browser.get("/").status_code == 303
    assert Browser(pages_app).client.get("/api/assets", headers=bearer).status_code == 401
    assert Browser(pages_app).sign_in(user.email, PASSWORD).status_code == 422
    assert denied(rows, handle)
    with pytest.raises(NotFound):
        member_scope(rows, user.id, house.project.id)
    rows.rollback()
    assert "Deactivated" in words(boss.get("/people"))
    assert boss.post(f"/people/{user.id}/reactivate").status_code == 303
    assert browser.get("/").status_code == 303
    assert Browser(pages_app).client.get("/api/assets", headers=bearer).status_code == 401
    assert Browser(pages_app).sign_in(user.email, PASSWORD).status_code == 303
    assert member_scope(rows, user.id, house.project.id) != handle


def test_the_last_admin_stays(pages_app: Flask, boss: Browser, rows: Session, house: House) -> None:
    for act, data in (("role", {"role": "member"}), ("deactivate", {})):
        answer = boss.post(f"/people/{house.user.id}/{act}", data)
        assert answer.status_code == 409
        assert "only admin" in words(answer)
    second = make_user(rows, house.organization, role="admin")
    other = Browser(pages_app)
    other.be(rows, second)
    other.get("/people")
    start, statuses = threading.Barrier(2), []

    def shut_out(browser: Browser, user: User) -> None:
        start.wait()
        statuses.append(browser.post(f"/people/{user.id}/deactivate").status_code)

    pairs = ((boss, second), (other, house.user))
    threads = [threading.Thread(target=shut_out, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    left = select(func.count()).where(
        User.organization_id == house.organization.id, User.role == "admin", User.deactivated_at.is_(None)
    )
    assert rows.scalar(left) == 1
    assert statuses.count(303) == 1


def test_a_role_acts_on_the_next_request(pages_app: Flask, boss: Browser, rows: Session, house: House) -> None:
    user = make_user(rows, house.organization)
    browser, project = Browser(pages_app), f"/projects/{house.project.id}"
    browser.be(rows, user)
    assert browser.get(project).status_code == 404
    assert boss.post(f"{project}/people", {"user_id": str(user.id), "role": "viewer"}).status_code == 303
    assert boss.post(f"{project}/people", {"user_id": str(user.id), "role": "viewer"}).status_code == 409
    assert browser.get(project).status_code == 200
    assert browser.get(f"{project}/arrange").status_code == 403
    member = f"/memberships/{rows.scalars(select(Membership.id).where(Membership.user_id == user.id)).one()}"
    assert boss.post(f"{member}/role", {"role": "king"}).status_code == 422
    handle = member_scope(rows, user.id, house.project.id)
    rows.commit()
    assert boss.post(f"{member}/role", {"role": "editor"}).status_code == 303
    assert denied(rows, handle)
    assert browser.get(f"{project}/arrange").status_code == 200
    handle = member_scope(rows, user.id, house.project.id)
    rows.commit()
    assert boss.post(f"{member}/remove").status_code == 303
    assert browser.get(project).status_code == 404
    assert denied(rows, handle)
    assert boss.post(f"{member}/remove").status_code == 404
    assert boss.post(f"/people/{user.id}/role", {"role": "admin"}).status_code == 303
    assert browser.get(project).status_code == 200


def test_no_address_is_signed_while_a_member_is_removed(environment: dict[str, str], house: House) -> None:
    """A request that was let in before the removal asks for its handle in the middle of it."""
    engine = create_engine(environment["DATABASE_URL"])
    with Session(engine, expire_on_commit=False) as remover, Session(engine) as viewer:
        user = make_user(remover, house.organization, project=house.project)
        remover.commit()
        membership = remover.scalars(select(Membership).where(Membership.user_id == user.id)).one()
        remove_member(remover, house.principal, membership)
        outcome: list[object] = []

        def ask() -> None:
            try:
                outcome.append(member_scope(viewer, user.id, house.project.id))
            except NotFound as error:
                outcome.append(error.code)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # waits for whoever changes the rights
        remover.commit()
        thread.join(10)
        assert outcome == ["not_found"]
    engine.dispose()


def test_every_act_is_recorded_without_personal_fields(rows: Session, boss: Browser, link: object) -> None:
    assert callable(link)
    link("recorded@example.org")
    seen = rows.scalars(select(Activity)).all()
    assert {
        "person.invited", "invitation.revoked", "person.joined", "person.role_changed", "person.deactivated",
        "person.reactivated", "member.added", "member.role_changed", "member.removed", "session.begun",
    } <= {activity.action for activity in seen}  # fmt: skip
    for activity in seen:
        assert "@" not in str(activity.data), activity.action


def test_links_are_cut_from_logs() -> None:
    path = "/join/" + new_token()[4:]
    assert path not in scrub(f"GET {path} 200")


def denied(rows: Session, handle: str) -> bool:
    """Whether the handle is denied here, and the edges were told."""
    rows.expire_all()
    scope = rows.get_one(MediaScope, handle)
    event = rows.scalars(select(EdgeEvent).where(EdgeEvent.subject == handle)).one()
    return scope.denied_at is not None and event.kind == "deny" and event.until > utc_now() + timedelta(hours=6)


def without_ids(text: str) -> str:
    """Without the number of the request."""
    return re.sub(r"Request [0-9a-f]{16}", "", text)


def test_sessions_of_nobody(pages_app: Flask, rows: Session, house: House) -> None:
    """A cookie whose session ended leads to the sign-in page, which remembers where one wanted to go."""
    browser = Browser(pages_app)
    visit = browser.be(rows, house.user)
    rows.execute(update(UserSession).where(UserSession.id == visit.id).values(revoked_at=utc_now()))
    rows.commit()
    answer = browser.get("/people?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/people?x%3D1")
