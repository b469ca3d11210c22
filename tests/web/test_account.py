"""One's own account, and the way in."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.passwords import hash_password
from app.models import User, UserSession
from app.web.account.browsers import browser_words
from tests.factories import House, make_user
from tests.support.pages import Browser, words

PASSWORD, OTHER = "correct horse battery", "staple staple staple"


@pytest.fixture
def person(rows: Session, house: House) -> User:
    user = make_user(rows, house.organization)
    user.password_hash = hash_password(PASSWORD)
    rows.commit()
    return user


@pytest.fixture
def mine(pages_app: Flask, rows: Session, person: User) -> Browser:
    browser = Browser(pages_app)
    browser.be(rows, person)
    return browser


def test_a_new_password_signs_the_other_browsers_out(
    pages_app: Flask, rows: Session, person: User, mine: Browser
) -> None:
    second = Browser(pages_app)
    second.be(rows, person)
    refused = {
        "not your present": {"present": "wrong", "new": OTHER},
        "12 characters or more": {"present": PASSWORD, "new": "short"},
        "password that you have now": {"present": PASSWORD, "new": PASSWORD},
    }
    for sentence, fields in refused.items():
        answer = mine.post("/account/password", fields)
        assert (answer.status_code, sentence in words(answer)) == (422, True), words(answer)
        assert PASSWORD not in answer.get_data(as_text=True)
    assert second.get("/account").status_code == 200
    assert mine.post("/account/password", {"present": PASSWORD, "new": OTHER}).status_code == 303
    assert "One other browser was signed out" in words(mine.get("/account"))
    assert second.get("/account").status_code == 303
    assert Browser(pages_app).sign_in(person.email, PASSWORD).status_code == 422
    assert Browser(pages_app).sign_in(person.email, OTHER).status_code == 303


def test_browsers_are_listed_and_ended_one_by_one_or_all(
    pages_app: Flask, rows: Session, person: User, mine: Browser, house: House
) -> None:
    second, third = Browser(pages_app), Browser(pages_app)
    visit = second.be(rows, person)
    third.be(rows, person)
    page = words(mine.get("/account"))
    assert page.count("Firefox on Linux") >= 3
    assert page.count("This browser") == 1
    assert mine.post(f"/account/sessions/{visit.id}/end").status_code == 303
    assert second.get("/").status_code == 303
    assert third.get("/").status_code == 200
    foreign = Browser(pages_app).be(rows, house.user)
    assert mine.post(f"/account/sessions/{foreign.id}/end").status_code == 404
    assert mine.post("/account/sessions/end-all").status_code == 303
    assert [b.get("/").status_code for b in (mine, third)] == [303, 303]
    open_visits = select(UserSession).where(UserSession.user_id == person.id, UserSession.revoked_at.is_(None))
    assert rows.scalars(open_visits).all() == []


def test_ending_this_browser_leads_to_the_sign_in_page(rows: Session, person: User, mine: Browser) -> None:
    visit = rows.scalars(select(UserSession).where(UserSession.user_id == person.id)).one()
    answer = mine.post(f"/account/sessions/{visit.id}/end")
    assert answer.headers["Location"] == "/sign-in"
    assert mine.get("/account").status_code == 303


def test_a_name_is_cleaned(rows: Session, person: User, mine: Browser) -> None:
    assert mine.post("/account/name", {"name": "  Grace\x00  Brewster\u200b Hopper "}).status_code == 303
    rows.expire_all()
    assert rows.get_one(User, person.id).name == "Grace Brewster Hopper"
    for name, status in (("", 422), ("x" * 121, 422)):
        assert mine.post("/account/name", {"name": name}).status_code == status


def test_signing_in_remembers_where_one_wanted_to_go(pages_app: Flask, person: User) -> None:
    browser = Browser(pages_app)
    asked = browser.get("/account")
    assert asked.headers["Location"] == "/sign-in?next=/account"
    form = browser.get(asked.headers["Location"]).get_data(as_text=True)
    assert 'action="/sign-in?next=/account"' in form
    assert browser.sign_in(person.email, PASSWORD, "/sign-in?next=/account").headers["Location"] == "/account"
    for target in ("//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:x", ""):
        answer = Browser(pages_app).client.get("/sign-in", query_string={"next": target})
        assert answer.status_code == 200
        again = browser.client.get("/sign-in", query_string={"next": target})  # signed in already
        assert again.headers["Location"] == "/", target


def test_forms_without_their_token_are_refused(mine: Browser) -> None:
    mine.csrf = "stale"
    assert mine.post("/account/name", {"name": "Eve"}).status_code == 400


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142 Safari/537.36 Edg/142", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Mac"),
        ("curl/8.1", "curl/8.1"),
        ("", "Unknown browser"),
    ],
)  # fmt: skip
def test_browsers_in_words(user_agent: str, expected: str) -> None:
    assert browser_words(user_agent) == expected


def test_a_fragment_without_a_session_leads_to_sign_in_and_back(pages_app: Flask, house: House) -> None:
    page = f"/projects/{house.project.id}?collection=none"
    headers = {"HX-Request-Type": "partial", "HX-Current-URL": f"http://localhost{page}"}
    answer = Browser(pages_app).get(f"/projects/{house.project.id}/asset-sheet", **headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == f"/sign-in?next=/projects/{house.project.id}?collection%3Dnone"
