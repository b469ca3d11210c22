"""API tokens: made, shown once, listed and revoked on their page; scopes and ends enforced at every boundary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from app.core.audit import SYSTEM
from app.core.errors import Rejected
from app.core.policy import NEVER_BY_TOKEN, PROJECT_ACTIONS, TOKEN_SCOPES
from app.models import Activity, ApiToken, utc_now
from app.workflows.make_token import MAX_LIVE, make_token
from tests.factories import House
from tests.support.house_app import PASSWORD, Caller, make_app, make_callers, make_film, make_person, make_token_row


@pytest.fixture(scope="module")
def app(environment: dict[str, str]) -> Flask:
    return make_app(environment)


@pytest.fixture(scope="module")
def session(database_url: str) -> Iterator[Session]:
    engine = create_engine(database_url)
    with Session(engine, expire_on_commit=False) as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="module")
def house(app: Flask, session: Session) -> House:
    return make_callers(session, app)[0]


class Browser:
    """A person who has signed in, with forms as a browser sends them."""

    def __init__(self, app: Flask, email: str) -> None:
        self.http: FlaskClient = app.test_client()
        assert self.post("/sign-in", email=email, password=PASSWORD).status_code == 303

    def post(self, path: str, page: str = "/sign-in", **fields: Any) -> Any:
        """Send a form with the token of `page`."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.http.get(page).text)
        assert found
        return self.http.post(path, data={"csrf_token": found[1], **fields})

    def make(self, **fields: Any) -> Any:
        """The answer of the form for a new token."""
        return self.post("/account/tokens", "/account/tokens", **{"name": "uploader", "expires": "90", **fields})


@pytest.fixture
def visitor(app: Flask, session: Session, house: House) -> Browser:
    return Browser(app, make_person(session, house, project_role="editor").email)


def _secret(page: str) -> str | None:
    found = re.search(r'id="token-secret">(rsh_[\w-]+)<', page)
    return found[1] if found else None


def test_a_token_is_shown_once_works_and_is_revoked(app: Flask, visitor: Browser, session: Session) -> None:
    page = visitor.http.get("/account/tokens").text
    assert "No tokens yet" in page
    made = visitor.make(scopes=["read", "upload"])
    assert (made.status_code, made.location) == (303, "/account/tokens")
    page = visitor.http.get("/account/tokens").text
    secret = _secret(page)
    assert secret is not None
    assert "Read, Upload" in page
    assert _secret(visitor.http.get("/account/tokens").text) is None
    row = session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc()).limit(1)).one()
    assert (row.name, row.scopes, row.last_used_at) == ("uploader", ["read", "upload"], None)
    assert row.expires_at is not None
    assert timedelta(days=89) < row.expires_at - utc_now() <= timedelta(days=90)
    assert secret not in row.token_hash
    caller = Caller(app, secret, row.user_id)
    assert caller.call("GET", "/api/projects")[0] == 200
    session.refresh(row)
    assert row.last_used_at is not None
    gone = visitor.post(f"/account/tokens/{row.id}/revoke", "/account/tokens")
    assert gone.status_code == 303
    assert "is revoked" in visitor.http.get("/account/tokens").text
    status, problem = caller.call("GET", "/api/projects")
    assert (status, problem["code"]) == (401, "bad_token")
    acts = session.scalars(select(Activity).where(Activity.target_id == row.id).order_by(Activity.id)).all()
    assert [act.action for act in acts] == ["token.made", "token.revoked"]
    assert secret not in str([act.data for act in acts])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " ", "scopes": ["read"]}, "Give the token a name"),
        ({"name": "x" * 81, "scopes": ["read"]}, "80 characters"),
        ({"scopes": []}, "Choose what the token may do"),
        ({"scopes": ["everything"]}, "valid choice"),
        ({"scopes": ["read"], "expires": "1000000"}, "Not a valid choice"),
    ],
)
def test_forms_that_cannot_be(visitor: Browser, fields: dict[str, Any], sentence: str) -> None:
    answer = visitor.make(**fields)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "No tokens yet" in answer.text


def test_everything_and_never(visitor: Browser, session: Session) -> None:
    visitor.make(scopes=["read", "all"], expires="never")
    row = session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc()).limit(1)).one()
    assert (row.scopes, row.expires_at) == (None, None)
    assert "Everything I may do" in visitor.http.get("/account/tokens").text


def test_anothers_token_is_nobodys(app: Flask, visitor: Browser, session: Session, house: House) -> None:
    other = make_person(session, house, "admin")
    make_token_row(session, other)
    row = session.scalars(select(ApiToken).where(ApiToken.user_id == other.id)).one()
    assert visitor.post(f"/account/tokens/{row.id}/revoke", "/account/tokens").status_code == 404
    assert str(row.id) not in visitor.http.get("/account/tokens").text
    # Not even its own admin's key makes or ends keys.
    caller = Caller(app, make_token_row(session, other), other.id)
    for method, path in (("GET", "/account/tokens"), ("POST", "/account/tokens")):
        answer = caller.open(method, path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json["code"]) == (403, "token_scope")


def test_scopes_narrow_what_the_owner_may(app: Flask, session: Session, house: House) -> None:
    asset, version = make_film(session, house, "Reel", comments=1)
    editor = make_person(session, house, project_role="editor")
    project = str(house.project.id)
    calls = {
        "read": [("GET", f"/api/assets/{asset.id}", None), ("GET", "/api/assets", None)],
        "upload": [("POST", "/api/presign", {"projectId": project, "name": "a.mov", "size": 9})],
        "comment": [("POST", "/api/comments", {"versionId": str(version.id), "frameIn": 0, "body": "x"})],
        "": [("PATCH", f"/api/assets/{asset.id}", {"title": "Reel 1"})],
    }
    for scope in TOKEN_SCOPES:
        caller = Caller(app, make_token_row(session, editor, scopes=[scope]), editor.id)
        for wanted, given in calls.items():
            for method, path, body in given:
                status, answer = caller.call(method, path, body)
                if wanted == scope:
                    assert status in (200, 201), (scope, path, answer)
                else:
                    assert (status, answer["code"]) == (403, "token_scope"), (scope, path)
    both = Caller(app, make_token_row(session, editor, scopes=["read", "comment"]), editor.id)
    assert both.call("GET", f"/api/comments?versionId={version.id}")[0] == 200
    # A scope gives nothing that the owner has not; a name that nobody knows gives nothing at all.
    viewer = make_person(session, house)
    status, answer = Caller(app, make_token_row(session, viewer, scopes=["upload"]), viewer.id).call(
        *calls["upload"][0]
    )
    assert (status, answer["code"]) == (403, "not_allowed")
    odd = Caller(app, make_token_row(session, editor, scopes=["root"]), editor.id)
    assert odd.call("GET", "/api/projects")[0] == 403
    # Pages keep to the scope too.
    upload_only = Caller(app, make_token_row(session, editor, scopes=["upload"]), editor.id)
    assert upload_only.open("GET", f"/assets/{asset.id}").status_code == 403


def test_an_ended_token_and_one_of_somebody_who_left(app: Flask, session: Session, house: House) -> None:
    person = make_person(session, house)
    ended = Caller(app, make_token_row(session, person, expires_at=utc_now() - timedelta(seconds=1)), person.id)
    assert ended.call("GET", "/api/projects")[1]["code"] == "bad_token"
    live = Caller(app, make_token_row(session, person, expires_at=utc_now() + timedelta(days=1)), person.id)
    assert live.call("GET", "/api/projects")[0] == 200
    person.deactivated_at = utc_now()
    session.commit()
    assert live.call("GET", "/api/projects")[0] == 401


def test_a_person_has_so_many(session: Session, house: House) -> None:
    person = make_person(session, house)
    for number in range(MAX_LIVE):
        make_token(session, SYSTEM, person, name=f"n{number}", scopes=["read"], expires_at=None)
    with pytest.raises(Rejected, match="too_many_tokens"):
        make_token(session, SYSTEM, person, name="one more", scopes=["read"], expires_at=None)
    for wrong in ({"scopes": []}, {"scopes": ["root"]}, {"expires_at": utc_now()}):
        with pytest.raises(Rejected):
            make_token(session, SYSTEM, person, **{"name": "x", "scopes": None, "expires_at": None, **wrong})
    session.rollback()


def test_the_scopes_are_actions_that_there_are() -> None:
    known = frozenset().union(*PROJECT_ACTIONS.values()) | {"projects.list"}
    for actions in TOKEN_SCOPES.values():
        assert actions <= known
        assert not actions & NEVER_BY_TOKEN
