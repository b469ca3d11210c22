"""Who comes in, as what, and who is shut out: on a real database, through the pages."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.passwords import hash_password, hash_token, new_token
from app.models import (
    Activity,
    ApiToken,
    EdgeEvent,
    MediaScope,
    Membership,
    User,
    UserSession,
    utc_now,
)
from app.workflows.change_membership import remove_member
from app.workflows.member_scope import member_scope
from tests.factories import House, make_user
from tests.support.pages import Browser, words

PASSWORD = "correct horse battery"


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


def test_every_act_is_recorded_without_personal_fields(rows: Session) -> None:
    seen = rows.scalars(select(Activity)).all()
    assert {
        "person.role_changed", "person.deactivated", "person.reactivated", "member.added", "member.role_changed",
        "member.removed", "session.begun",
    } <= {activity.action for activity in seen}  # fmt: skip
    for activity in seen:
        assert "@" not in str(activity.data), activity.action


def denied(rows: Session, handle: str) -> bool:
    """Whether the handle is denied here, and the edges were told."""
    rows.expire_all()
    scope = rows.get_one(MediaScope, handle)
    event = rows.scalars(select(EdgeEvent).where(EdgeEvent.subject == handle)).one()
    return scope.denied_at is not None and event.kind == "deny" and event.until > utc_now() + timedelta(hours=6)


def test_sessions_of_nobody(pages_app: Flask, rows: Session, house: House) -> None:
    """A cookie whose session ended leads to the sign-in page, which remembers where one wanted to go."""
    browser = Browser(pages_app)
    visit = browser.be(rows, house.user)
    rows.execute(update(UserSession).where(UserSession.id == visit.id).values(revoked_at=utc_now()))
    rows.commit()
    answer = browser.get("/people?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/people?x%3D1")
