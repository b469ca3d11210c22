"""The walls of an organisation: every address and every call of the app, tried with another one's ids.

The tests read the app's url_map. A route whose ids they cannot fill fails them, and so does a call without an
id in its address that is not listed below: say there which ids its body or its query may hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.core.passwords import hash_token, new_token
from app.core.settings import WebSettings, load
from app.factory import create_app
from app.models import ApiToken, Base
from tests.factories import House, make_house
from tests.support.pages import Browser
from tests.support.walled import SECRET, Walled

#: Addresses whose token is the right to open them (tests of their own try foreign and dead tokens).
DOORS = ("/s/<token>", "/join/<token>")
PUBLIC = {"/sign-in", "/sign-out", "/healthz", "/readyz", "/metrics", "/control/events", "/api/openapi.json"}
#: Calls that hold no id at all, neither in the address nor in query or body.
WITHOUT_IDS = {
    ("POST", "/account/name"),
    ("POST", "/account/password"),
    ("POST", "/account/sessions/end-all"),
    ("POST", "/account/tokens"),
    ("POST", "/clients"),
}
#: Calls whose query or body holds ids: "a.x" is the other organisation's, "b.x" the caller's own. `form` goes as
#: a form, `json` as JSON, `query` in the address. Each must be refused as if there were no such thing.
CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/projects", {"form": {"name": "x", "client_id": "a.client_id"}}),
    ("POST", "/people/invitations", {"form": {
        "email": "x@example.org", "role": "member", "project_id": "a.project_id", "project_role": "admin"}}),
    ("POST", "/projects/<uuid:project_id>/people", {"form": {"user_id": "a.user_id", "role": "admin"}}),
    ("POST", "/projects/<uuid:project_id>/arrange", {"form": {"asset": "a.asset_id"}}),
    ("POST", "/projects/<uuid:project_id>/arrange", {"form": {
        "asset": "b.asset_id", "collection_id": "a.collection_id"}}),
    ("POST", "/projects/<uuid:project_id>/settings", {"form": {"name": "x", "client_id": "a.client_id"}}),
    ("GET", "/projects/<uuid:project_id>", {"query": {"collection": "a.collection_id"}}),
    ("GET", "/projects/<uuid:project_id>/asset-sheet", {"query": {"collection": "a.collection_id"}}),
    ("GET", "/projects/<uuid:project_id>/arrange", {"query": {"collection": "a.collection_id"}}),
    ("POST", "/projects/<uuid:project_id>/shares", {"form": {"name": "x", "assets": "a.asset_id", "download": "none"}}),
    ("POST", "/assets/<uuid:asset_id>/master", {"form": {"version_id": "a.version_id"}}),
    ("POST", "/assets/<uuid:asset_id>/retry", {"form": {"version_id": "a.version_id"}}),
    ("POST", "/assets/<uuid:asset_id>/review/comments", {"form": {"version_id": "a.version_id", "body": "x"}}),
    ("GET", "/api/assets", {"query": {"projectId": "a.project_id"}}),
    ("GET", "/api/comments", {"query": {"versionId": "a.version_id"}}),
    ("POST", "/api/comments", {"json": {"versionId": "a.version_id", "frameIn": 0, "body": "x"}}),
    ("POST", "/api/comments", {"json": {
        "versionId": "b.version_id", "frameIn": 0, "body": "x", "parentId": "a.comment_id"}}),
    ("POST", "/api/presign", {"json": {"projectId": "a.project_id", "name": "a.mov", "size": 1}}),
    ("POST", "/api/presign", {"json": {
        "projectId": "b.project_id", "name": "a.mov", "size": 1, "mapping": {"projectId": "a.project_id"}}}),
    ("POST", "/api/presign", {"json": {
        "projectId": "b.project_id", "name": "a.mov", "size": 1,
        "mapping": {"projectId": "b.project_id", "assetId": "a.asset_id"}}}),
    ("POST", "/api/preview", {"json": {"versionSha": "a.sha256"}}),
    ("POST", "/api/promote", {"json": {"stagingKey": "a.staging", "mapping": {"projectId": "b.project_id"}}}),
    ("POST", "/api/promote", {"json": {"stagingKey": "a.staging", "mapping": {"projectId": "a.project_id"}}}),
    ("GET", "/api/shares", {"query": {"projectId": "a.project_id"}}),
    ("POST", "/api/shares", {"json": {"projectId": "a.project_id", "name": "x", "assetIds": ["a.asset_id"]}}),
    ("POST", "/api/shares", {"json": {"projectId": "b.project_id", "name": "x", "assetIds": ["a.asset_id"]}}),
    ("PATCH", "/api/shares/<uuid:share_id>", {"json": {"assetIds": ["a.asset_id"]}}),
    ("POST", "/api/projects", {"json": {"name": "x", "clientId": "a.client_id"}}),
)  # fmt: skip


@pytest.fixture
def a(rows: Session) -> Walled:
    """The organisation behind the walls."""
    return Walled(rows)


class Stranger:
    """The admin of another organisation, by a browser and by a token."""

    def __init__(self, app: Flask, session: Session, house: House) -> None:
        self.browser = Browser(app)
        self.browser.be(session, house.user)
        token = new_token()
        session.add(
            ApiToken(
                organization_id=house.organization.id, user_id=house.user.id, name="t", token_hash=hash_token(token)
            )
        )
        session.commit()
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, *, by: str, **what: Any) -> TestResponse:
        """By "browser" (a cookie and the CSRF token) or by "token"."""
        if by == "token":
            return self.browser.client.open(path, method=method, headers=self.headers, **options(what))
        if not self.browser.csrf:
            self.browser.get("/no-such-page")
        headers = {"X-CSRFToken": self.browser.csrf}
        return self.browser.client.open(path, method=method, headers=headers, **options(what))


@pytest.fixture
def stranger(pages_app: Flask, rows: Session) -> Stranger:
    house = make_house(rows, "Wren Pictures")
    rows.commit()
    return Stranger(pages_app, rows, house)


def options(what: dict[str, Any]) -> dict[str, Any]:
    names = {"form": "data", "json": "json", "query": "query_string"}
    return {names[name]: value for name, value in what.items()}


def routes(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Every method of every route but files of the product, open pages and doors."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint == "static" or rule.rule in PUBLIC or rule.rule.startswith(DOORS):
            continue
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule


def fill(rule: str, ids: dict[str, str]) -> str:
    """The address with its ids."""
    return re.sub(r"<uuid:(\w+)>", lambda found: ids[found[1]], rule)


def plain(answer: TestResponse, ids: dict[str, str]) -> tuple[int, str]:
    """Status and body without what differs between any two answers: ids asked for, request, CSRF token."""
    body = answer.get_data(as_text=True)
    for key in ids.values():
        body = body.replace(key, "ID")
    body = re.sub(r'(csrf[_-]token" (?:content|value)=|X-CSRFToken": )"[^"]*"', "", body)
    return answer.status_code, re.sub(r"\b[0-9a-f]{16}\b", "", body)


def unknown(ids: dict[str, str]) -> dict[str, str]:
    return {name: str(uuid4()) for name in ids}


def unfillable(app: Flask, ids: dict[str, str]) -> list[tuple[str, str]]:
    """Routes that the tests below could not try."""
    listed = WITHOUT_IDS | {(method, rule) for method, rule, _ in CALLS}
    return [
        (method, rule.rule)
        for method, rule in routes(app)
        if rule.arguments - set(ids) or (method != "GET" and not rule.arguments and (method, rule.rule) not in listed)
    ]


def test_every_route_is_known_here(pages_app: Flask, a: Walled) -> None:
    """Give tests/support/walled.py an id for a new argument; list in CALLS which ids a new body holds, if any."""
    assert unfillable(pages_app, a.ids) == []
    rules = {(method, rule.rule) for method, rule in routes(pages_app)}
    assert WITHOUT_IDS | {(method, rule) for method, rule, _ in CALLS} <= rules


def test_a_new_route_does_not_slip_through(environment: dict[str, str], a: Walled) -> None:
    app = create_app(load(WebSettings, environment))
    app.add_url_rule("/reels/<uuid:reel_id>", "reel", lambda reel_id: "", methods=["GET"])
    app.add_url_rule("/reels", "reels", lambda: "", methods=["POST"])
    assert unfillable(app, a.ids) == [("GET", "/reels/<uuid:reel_id>"), ("POST", "/reels")]


@pytest.mark.parametrize("by", ["browser", "token"])
def test_foreign_ids_are_unknown_ids(pages_app: Flask, a: Walled, stranger: Stranger, rows: Session, by: str) -> None:
    before, leaks, told = contents(rows, a), [], []
    for method, rule in routes(pages_app):
        if not rule.arguments:
            continue
        nobody = unknown(a.ids)
        answer = stranger.call(method, fill(rule.rule, a.ids), by=by)
        twin = stranger.call(method, fill(rule.rule, nobody), by=by)
        if plain(answer, a.ids) != plain(twin, nobody) or SECRET in answer.get_data(as_text=True):
            told.append((method, rule.rule, answer.status_code, twin.status_code))
        # A token may not be made for an act at all: that is said before anything is looked up.
        if answer.status_code != 404 and not (by == "token" and "token_scope" in answer.get_data(as_text=True)):
            leaks.append((method, rule.rule, answer.status_code))
    assert not leaks
    assert not told
    assert changed(before, contents(rows, a)) == []


@pytest.mark.parametrize(("method", "rule", "what"), CALLS, ids=[f"{m} {r} {n}" for n, (m, r, _) in enumerate(CALLS)])
def test_foreign_ids_in_bodies(
    pages_app: Flask, a: Walled, stranger: Stranger, rows: Session, method: str, rule: str, what: dict[str, Any]
) -> None:
    b = Walled(rows)
    b_admin = Stranger(pages_app, rows, b.house)
    before = contents(rows, a)

    def with_ids(value: Any, theirs: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {name: with_ids(each, theirs) for name, each in value.items()}
        if isinstance(value, list):
            return [with_ids(each, theirs) for each in value]
        side, _, name = str(value).partition(".")
        return {"a": theirs, "b": b.ids}.get(side, {}).get(name, value)

    theirs = {**a.ids, "sha256": a.sha256, "staging": a.upload.id.hex}
    nobody = {**unknown(a.ids), "sha256": "0" * 64, "staging": uuid4().hex}
    by = "browser" if "form" in what or not rule.startswith("/api/") else "token"
    answer = b_admin.call(method, fill(rule, b.ids), by=by, **with_ids(what, theirs))
    twin = b_admin.call(method, fill(rule, b.ids), by=by, **with_ids(what, nobody))
    assert answer.status_code in (404, 409, 422), answer.get_data(as_text=True)
    assert plain(answer, {**theirs, **b.ids}) == plain(twin, {**nobody, **b.ids})
    assert changed(before, contents(rows, a)) == []


def test_pages_without_ids_show_nothing_of_others(pages_app: Flask, a: Walled, stranger: Stranger) -> None:
    assert a.ids
    for method, rule in routes(pages_app):
        if method == "GET" and not rule.arguments:
            for by in ("browser", "token"):
                answer = stranger.call("GET", rule.rule, by=by)
                assert SECRET.lower() not in answer.get_data(as_text=True).lower(), rule.rule


def test_nobody_and_outsiders_learn_nothing_either(pages_app: Flask, a: Walled, rows: Session) -> None:
    """Signed out, and as a member of the organisation who is in no project: what is there looks like what is not."""
    outsider = Browser(pages_app)
    outsider.be(rows, a.outsider)
    for browser in (Browser(pages_app), outsider):
        browser.get("/no-such-page")
        for method, rule in routes(pages_app):
            if not rule.arguments:
                continue
            nobody, headers = unknown(a.ids), {"X-CSRFToken": browser.csrf}
            answer = browser.client.open(fill(rule.rule, a.ids), method=method, headers=headers)
            twin = browser.client.open(fill(rule.rule, nobody), method=method, headers=headers)
            assert plain(answer, a.ids) == plain(twin, nobody), (method, rule.rule)
            assert answer.status_code in (303, 401, 403, 404), (method, rule.rule)
            assert SECRET not in answer.get_data(as_text=True)


def test_the_owner_is_let_in(pages_app: Flask, rows: Session) -> None:
    """The ids of the other tests are right: for whom they are meant, nothing is missing."""
    for method, rule in routes(pages_app):
        if not rule.arguments:
            continue
        own = Walled(rows)
        browser = Browser(pages_app)
        own.visit = browser.be(rows, own.house.user)
        browser.get("/no-such-page")
        headers = {"X-CSRFToken": browser.csrf}
        answer = browser.client.open(
            fill(rule.rule, own.ids), method=method, headers=headers, data={"version_id": own.ids["version_id"]}
        )
        assert answer.status_code not in (401, 403, 404, 500), (method, rule.rule, answer.get_data(as_text=True))


def contents(rows: Session, a: Walled) -> dict[str, set[str]]:
    """Every row that names the organisation, one of its things or its word, as text."""
    rows.rollback()
    kept = sorted(set(Base.metadata.tables) - {"activities", "activity_people", "idempotency_keys"})
    ids = [*a.ids.values(), a.house.organization.id, a.house.user.id, a.outsider.id, a.sha256]
    return {
        name: set(
            rows.scalars(
                text(f'select t::text from "{name}" t where t::text like any(:signs)'),
                {"signs": [f"%{sign}%" for sign in ids]},
            )
        )
        for name in kept
    }


def changed(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Rows that were changed, are gone, or have come."""
    return [row for name in before for row in before[name] ^ after[name]]
