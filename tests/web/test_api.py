"""The API by itself: contract and routes, errors in one form, pages of lists, answers given once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from pydantic import TypeAdapter
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import Session

from app.core.database import make_engine, make_unit_of_work
from app.core.queue import RedisSender
from app.core.settings import WorkerSettings, load
from app.core.storage import Storage
from app.models import Activity, Asset, Comment, IdempotencyKey, Project, Upload, utc_now
from app.web.api import answers
from app.web.api.openapi import api_rules, contract_of, document, path_of
from app.workflows.answer_once import KEPT, forget_answers
from app.workflows.context import Context
from tests.factories import House
from tests.support.house_app import FRAMES, Caller, make_app, make_callers, make_film, make_person, make_token_row


@dataclass
class Place:
    """A house on an app in this process."""

    app: Flask
    session: Session
    house: House
    admin: Caller

    @property
    def project_id(self) -> str:
        return str(self.house.project.id)

    def other(self, role: str) -> Caller:
        """A member with a role in the project."""
        user = make_person(self.session, self.house, project_role=role)
        return Caller(self.app, make_token_row(self.session, user), user.id)


@pytest.fixture(scope="module")
def place(environment: dict[str, str], database_url: str) -> Iterator[Place]:
    app = make_app(environment)
    engine = create_engine(database_url)
    with Session(engine, expire_on_commit=False) as session:
        house, admin = make_callers(session, app)
        yield Place(app, session, house, admin)
    engine.dispose()


def refused(answer: tuple[int, Any], status: int, code: str) -> dict[str, Any]:
    """Check that an answer is a whole problem; returns it."""
    assert (answer[0], answer[1]["code"]) == (status, code), answer
    TypeAdapter(answers.Problem).validate_python(answer[1], strict=True)
    assert answer[1]["detail"].endswith((".", "?", "…"))
    return dict(answer[1])


# -- the contract ---------------------------------------------------------------------------------------------


def test_every_route_of_the_api_stands_in_the_document(place: Place) -> None:
    published = document(place.app)
    assert published["openapi"].startswith("3.1")
    real = {
        (path_of(rule), method.lower())
        for rule in api_rules(place.app)
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert real == {(path, method) for path, item in published["paths"].items() for method in item}
    names = [operation["operationId"] for item in published["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_the_document_says_what_a_caller_needs(place: Place) -> None:
    answer = place.app.test_client().get("/api/openapi.json")
    assert answer.status_code == 200
    presign = answer.json["paths"]["/api/presign"]["post"]
    assert presign["summary"].startswith("Begin an upload")
    assert presign["x-token-scopes"] == ["upload", "all"]
    assert {"201", "401", "403", "404", "413", "415", "422", "429"} <= set(presign["responses"])
    assert [p["name"] for p in presign["parameters"]] == ["Idempotency-Key"]
    comments = answer.json["paths"]["/api/comments"]["get"]
    limit = next(p for p in comments["parameters"] if p["name"] == "limit")["schema"]
    assert (limit["minimum"], limit["maximum"]) == (1, 200)
    assert next(p for p in comments["parameters"] if p["name"] == "versionId")["required"]
    for item in answer.json["paths"].values():
        for operation in item.values():
            assert operation["summary"].endswith(".")


def test_a_route_without_a_contract_is_found(place: Place) -> None:
    for rule in api_rules(place.app):
        assert contract_of(place.app, rule)


# -- errors ---------------------------------------------------------------------------------------------------


def test_every_refusal_is_a_problem(place: Place) -> None:
    admin = place.admin
    refused(admin.call("GET", "/api/nothing"), 404, "not_found")
    refused(admin.call("GET", "/api"), 404, "not_found")
    refused(admin.call("GET", f"/api/assets/{uuid4()}"), 404, "not_found")
    refused(admin.call("GET", "/api/assets/me"), 404, "not_found")
    wrong = admin.open("PUT", "/api/assets")
    refused((wrong.status_code, wrong.json), 405, "method_not_allowed")
    assert "GET" in wrong.headers["Allow"]
    text = admin.open("POST", "/api/comments", data="body=x", headers={"Content-Type": "text/plain"})
    refused((text.status_code, text.json), 415, "unsupported_media_type")
    huge = admin.open("POST", "/api/comments", data=b" " * (3 << 20), headers={"Content-Type": "application/json"})
    refused((huge.status_code, huge.json), 413, "too_large")
    nobody = Caller(place.app, None, admin.user_id)
    for method, path in (("GET", "/api/assets"), ("POST", "/api/presign"), ("DELETE", f"/api/comments/{uuid4()}")):
        unknown = nobody.open(method, path)
        refused((unknown.status_code, unknown.json), 401, "sign_in")
        assert unknown.headers["WWW-Authenticate"] == "Bearer"
    refused(Caller(place.app, "rsh_wrong", admin.user_id).call("GET", "/api/assets"), 401, "bad_token")


def test_a_fault_of_ours_is_a_problem_without_details(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setitem(place.app.view_functions, "api.projects", broken)
    problem = refused(place.admin.call("GET", "/api/projects"), 500, "internal_error")
    assert "hunter2" not in json.dumps(problem)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"body": "\\ud800"}', b"NaN", b'{"a": 1e999}'],
    ids=lambda body: repr(body[:12]),
)
def test_bodies_that_are_none(place: Place, body: bytes) -> None:
    answer = place.admin.open("POST", "/api/comments", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json["code"] in ("bad_json", "bad_body")


def test_types_are_those_of_json(place: Place) -> None:
    body = {"projectId": place.project_id, "name": "a.mov", "size": "9"}
    assert "size" in refused(place.admin.call("POST", "/api/presign", body), 422, "bad_body")["errors"]
    odd = {**body, "size": 9, "type": "video/\x00"}
    assert "type" in refused(place.admin.call("POST", "/api/presign", odd), 422, "bad_body")["errors"]
    titled = {**body, "size": 9, "mapping": {"projectId": place.project_id, "title": "a\x00b"}}
    assert "mapping.title" in refused(place.admin.call("POST", "/api/presign", titled), 422, "bad_body")["errors"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "projectId=me", "cursor=me", "cursor=%00", "colour=red", "limit=1&limit=2",
     "cursor=MDAwMS0wMS0wMVQwMDowMDowMCsyMzowMHwwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA"],
)  # fmt: skip
def test_queries_that_cannot_be(place: Place, query: str) -> None:
    status, body = place.admin.call("GET", f"/api/assets?{query}")
    assert status == 422
    assert body["code"] in ("bad_query", "bad_cursor")


# -- projects and titles ------------------------------------------------------------------------------------------


def test_projects_are_listed_and_made_by_admins(place: Place) -> None:
    status, made = place.admin.call("POST", "/api/projects", {"name": "  Film\t one "})
    assert (status, made["name"], made["role"]) == (201, "Film one", "admin")
    assert [row["id"] for row in place.admin.call("GET", "/api/projects?limit=1")[1]["items"]] == [made["id"]]
    acted = select(Activity.action).where(Activity.target_id == made["id"])
    assert place.session.scalars(acted).all() == ["project.created"]
    refused(place.admin.call("POST", "/api/projects", {"name": " "}), 422, "name_missing")
    refused(place.admin.call("POST", "/api/projects", {"name": "x", "clientId": str(uuid4())}), 404, "not_found")
    viewer = place.other("viewer")
    refused(viewer.call("POST", "/api/projects", {"name": "Mine"}), 403, "not_allowed")
    seen = viewer.call("GET", "/api/projects")[1]["items"]
    assert [(row["id"], row["role"]) for row in seen] == [(place.project_id, "viewer")]


def test_a_title_is_changed_by_editors(place: Place) -> None:
    asset, _ = make_film(place.session, place.house, "Befor")
    path = f"/api/assets/{asset.id}"
    refused(place.other("reviewer").call("PATCH", path, {"title": "After"}), 403, "not_allowed")
    assert place.other("editor").call("PATCH", path, {"title": " After "})[1]["title"] == "After"
    assert place.admin.call("GET", path)[1]["title"] == "After"
    refused(place.admin.call("PATCH", path, {"title": ""}), 422, "name_missing")
    refused(place.admin.call("PATCH", path, {"name": "x"}), 422, "bad_body")
    _, stranger = make_callers(place.session, place.app)
    refused(stranger.call("PATCH", path, {"title": "Ours"}), 404, "not_found")


# -- pages of lists -------------------------------------------------------------------------------------------------


def _all(caller: Caller, path: str, limit: int) -> list[list[dict[str, Any]]]:
    pages, cursor = [], ""
    while True:
        status, body = caller.call("GET", f"{path}limit={limit}{cursor}")
        assert status == 200, body
        pages.append(body["items"])
        if body["nextCursor"] is None:
            return pages
        cursor = f"&cursor={body['nextCursor']}"


def test_pages_hold_each_asset_once(place: Place) -> None:
    project = Project(organization_id=place.house.organization.id, name="Long list")
    place.session.add(project)
    place.session.commit()
    house = House(place.house.organization, place.house.user, project)
    made = {str(make_film(place.session, house, f"Reel {number}")[0].id) for number in range(7)}
    # Two made in the same instant: the id decides.
    place.session.execute(update(Asset).where(Asset.project_id == project.id).values(created_at=utc_now()))
    place.session.commit()
    pages = _all(place.admin, f"/api/assets?projectId={project.id}&", 3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert {row["id"] for page in pages for row in page} == made
    assert len(_all(place.admin, f"/api/assets?projectId={project.id}&", 200)) == 1


def test_pages_of_comments_follow_the_frames(place: Place) -> None:
    _, version = make_film(place.session, place.house, "Talked over", comments=100)
    pages = _all(place.admin, f"/api/comments?versionId={version.id}&", 13)
    frames = [row["frameIn"] for page in pages for row in page]
    assert len(frames) == len({row["id"] for page in pages for row in page}) == 100
    assert frames == sorted(frames)
    first = pages[0][-1]["id"]  # a comment that goes away between two pages moves nothing
    cursor = place.admin.call("GET", f"/api/comments?versionId={version.id}&limit=13")[1]["nextCursor"]
    assert place.admin.call("DELETE", f"/api/comments/{first}")[0] == 204
    rest = place.admin.call("GET", f"/api/comments?versionId={version.id}&limit=13&cursor={cursor}")[1]["items"]
    assert rest == pages[1]
    refused(place.admin.call("GET", "/api/comments"), 422, "bad_query")


def test_open_shares_of_an_asset_are_told_to_who_may_see_them(place: Place) -> None:
    asset, _ = make_film(place.session, place.house, "Shared")
    body = {"projectId": place.project_id, "name": "Client", "assetIds": [str(asset.id)]}
    share = place.admin.call("POST", "/api/shares", body)[1]
    path = f"/api/assets/{asset.id}"
    assert place.admin.call("GET", path)[1]["shares"] == [share["id"]]
    assert place.other("viewer").call("GET", path)[1]["shares"] == []
    assert place.admin.call("DELETE", f"/api/shares/{share['id']}")[0] == 204
    assert place.admin.call("GET", path)[1]["shares"] == []


# -- answers given once ---------------------------------------------------------------------------------------------


def _remark(version_id: Any, frame: int = 3, body: str = "once") -> dict[str, Any]:
    return {"versionId": str(version_id), "frameIn": frame, "body": body}


def test_the_same_call_is_answered_again_and_done_once(place: Place) -> None:
    _, version = make_film(place.session, place.house, "Once")
    key = {"Idempotency_Key": "first"}
    status, first = place.admin.call("POST", "/api/comments", _remark(version.id), **key)
    again = place.admin.open(
        "POST", "/api/comments", json=_remark(version.id), headers={"Idempotency-Key": "first"}
    )  # fmt: skip
    assert (status, again.status_code, again.json) == (201, 201, first)
    assert again.headers["Idempotent-Replayed"] == "true"
    count = select(func.count()).where(Comment.version_id == version.id)
    assert place.session.scalar(count) == 1
    other = place.admin.call("POST", "/api/comments", _remark(version.id, body="twice"), **key)
    refused(other, 422, "idempotency_mismatch")
    moved = place.admin.call("POST", "/api/presign", {"projectId": place.project_id, "name": "a", "size": 1}, **key)
    refused(moved, 422, "idempotency_mismatch")
    # Another person's key of the same name is another key.
    assert place.other("reviewer").call("POST", "/api/comments", _remark(version.id), **key)[0] == 201
    for bad in ("", "a b", "ä", "x" * 201):
        answer = place.admin.call("POST", "/api/comments", _remark(version.id), Idempotency_Key=bad)
        refused(answer, 422, "bad_idempotency_key")


def test_of_calls_at_the_same_time_one_acts(place: Place) -> None:
    _, version = make_film(place.session, place.house, "At once")
    body = _remark(version.id)

    def call(_number: int) -> tuple[int, Any]:
        return Caller(place.app, place.admin.token, place.admin.user_id).call(
            "POST", "/api/comments", body, Idempotency_Key="at-once"
        )

    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(call, range(8)))
    assert {status for status, _ in given} == {201}
    assert len({answer["id"] for _, answer in given}) == 1
    assert place.session.scalar(select(func.count()).where(Comment.version_id == version.id)) == 1


def test_a_refused_call_leaves_its_key_free(place: Place) -> None:
    _, version = make_film(place.session, place.house, "Tried again")
    key = {"Idempotency_Key": "again"}
    outside = place.admin.call("POST", "/api/comments", _remark(version.id, FRAMES), **key)
    assert list(refused(outside, 422, "frame_outside")["errors"]) == ["frameIn"]
    assert place.admin.call("POST", "/api/comments", _remark(version.id, FRAMES - 1), **key)[0] == 201


def test_presign_again_gives_the_same_upload_and_fresh_addresses(place: Place) -> None:
    digest = "0" * 64
    body = {
        "projectId": place.project_id, "name": "a.mov", "size": 100,
        "parts": [{"number": 1, "size": 100, "sha256": digest}],
    }  # fmt: skip
    first = place.admin.call("POST", "/api/presign", body, Idempotency_Key="upload")[1]
    status, again = place.admin.call("POST", "/api/presign", body, Idempotency_Key="upload")
    assert status == 201
    assert again["uploadId"] == first["uploadId"]
    assert [part["number"] for part in again["parts"]] == [1]
    assert place.session.scalar(select(func.count()).select_from(Upload).where(Upload.name == "a.mov")) == 1
    kept = place.session.scalars(select(IdempotencyKey.response).where(IdempotencyKey.key == "upload")).one()
    assert "Signature" not in json.dumps(kept)
    assert place.admin.call("DELETE", f"/api/uploads/{first['uploadId']}")[0] == 204
    assert place.admin.call("POST", "/api/presign", body, Idempotency_Key="upload")[1]["parts"] == []


def test_answers_are_kept_for_a_day(place: Place, environment: dict[str, str]) -> None:
    _, version = make_film(place.session, place.house, "Yesterday")
    key = {"Idempotency_Key": "old"}
    first = place.admin.call("POST", "/api/comments", _remark(version.id), **key)[1]
    _age(place.session, "old")
    second = place.admin.call("POST", "/api/comments", _remark(version.id, body="another"), **key)
    assert second[0] == 201
    assert second[1]["id"] != first["id"]
    place.admin.call("POST", "/api/comments", _remark(version.id), Idempotency_Key="young")
    _age(place.session, "old")
    settings = load(WorkerSettings, environment)
    sender = RedisSender(environment["REDIS_URL"])
    engine = make_engine(settings.database_url.get_secret_value())
    context = Context(settings, make_unit_of_work(engine, sender), Storage(settings), sender)
    assert forget_answers(context) == 1
    engine.dispose()
    place.session.expire_all()
    names = place.session.scalars(select(IdempotencyKey.key)).all()
    assert "young" in names
    assert "old" not in names


def _age(session: Session, key: str) -> None:
    old = utc_now() - KEPT - timedelta(minutes=1)
    session.execute(update(IdempotencyKey).where(IdempotencyKey.key == key).values(created_at=old))
    session.commit()


# -- how much of it -----------------------------------------------------------------------------------------------


def test_a_token_that_calls_too_often_waits(environment: dict[str, str], place: Place) -> None:
    app = make_app(environment, API_RATE_PER_MINUTE="5")
    caller = Caller(app, place.admin.token, place.admin.user_id)
    statuses = [caller.call("GET", path)[0] for path in ("/api/projects", "/api/assets") * 3]
    assert statuses == [200] * 5 + [429]
    answer = caller.open("GET", "/api/projects")
    refused((answer.status_code, answer.json), 429, "too_many_tries")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    other = place.other("viewer")
    assert Caller(app, other.token, other.user_id).call("GET", "/api/projects")[0] == 200
