"""The activity pages: in words, newest first, page by page, for whom they are meant."""

from __future__ import annotations

import ast
import re

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import audit
from app.core.audit import SYSTEM, Actor
from app.core.lifecycle import TRANSITIONS
from app.models import Activity, ActivityPeople
from app.workflows.list_activities import KINDS, PAGE
from tests.factories import House, make_user
from tests.support.pages import Browser, words
from tests.support.walled import Walled


@pytest.fixture
def ours(rows: Session) -> Walled:
    """An organisation with one of everything."""
    return Walled(rows)


@pytest.fixture
def chief(pages_app: Flask, rows: Session, ours: Walled) -> Browser:
    browser = Browser(pages_app)
    browser.be(rows, ours.house.user)
    return browser


def tell(rows: Session, ours: Walled, actor: Actor, action: str, kind: str, target: object, **data: object) -> None:
    audit.record(
        rows, actor, action, organization_id=ours.house.organization.id, project_id=ours.house.project.id,
        target_kind=kind, target_id=target, data=data,  # type: ignore[arg-type]
    )  # fmt: skip
    rows.commit()


def lines(browser: Browser, path: str) -> list[str]:
    """The log's lines as text, without the times."""
    text = browser.get(path).get_data(as_text=True)
    found = re.findall(r"<li id=\"activity-.*?<p>(.*?)</p>", text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", line).split()).replace(" ,", ",") for line in found]


def test_in_words_with_links_to_the_things(rows: Session, ours: Walled, chief: Browser) -> None:
    ada = Actor("user", ours.house.user.id)
    tell(rows, ours, SYSTEM, "version.promoted", "version", ours.version.id, until="2027-01-01")
    tell(rows, ours, ada, "comment.posted", "comment", ours.comment.id, frameIn=3)
    tell(rows, ours, Actor("token", ours.member.id), "upload.completed", "upload", ours.upload.id)
    tell(rows, ours, ada, "asset.renamed", "asset", ours.asset.id, **{"from": "Reel", "to": "Aurelian reel"})
    tell(rows, ours, ada, "something.new", "thing", None, name="Odd thing")
    path = f"/projects/{ours.house.project.id}/activity"
    assert lines(chief, path) == [
        "Aurelian admin something new: Odd thing",
        "Aurelian admin renamed, now Aurelian reel, from Reel to Aurelian reel",
        "Aurelian editor Token uploaded Aurelian.mov",
        "Aurelian admin commented on Aurelian reel at 00:00:00:03",
        "Rushes locked v1 of Aurelian reel, sent by Aurelian admin",
    ]
    page = chief.get(path).get_data(as_text=True)
    assert f'href="/assets/{ours.asset.id}/review?v=1&amp;f=3"' in page
    assert f'href="/assets/{ours.asset.id}?v=1"' in page


def test_page_by_page_every_line_once(rows: Session, ours: Walled, chief: Browser) -> None:
    for number in range(2 * PAGE + 3):
        tell(rows, ours, SYSTEM, "thing.made", "thing", None, name=f"number {number}")
    path, seen = f"/projects/{ours.house.project.id}/activity", []
    for _ in range(3):
        seen += lines(chief, path)
        more = re.search(r'href="(/projects/[^"]*cursor=[^"]*)"', chief.get(path).get_data(as_text=True))
        path = more[1].replace("&amp;", "&") if more else ""
    assert path == ""
    assert seen == [f"Rushes thing made: number {number}" for number in reversed(range(2 * PAGE + 3))]


def test_filters_by_kind_and_keeps_them_on_older_pages(rows: Session, ours: Walled, chief: Browser) -> None:
    tell(rows, ours, SYSTEM, "upload.completed", "upload", ours.upload.id)
    for _ in range(PAGE + 1):
        tell(rows, ours, SYSTEM, "comment.posted", "comment", ours.comment.id)
    path = f"/projects/{ours.house.project.id}/activity"
    assert lines(chief, f"{path}?kind=masters") == ["Rushes uploaded Aurelian.mov"]
    page = chief.get(f"{path}?kind=comments").get_data(as_text=True)
    assert "kind=comments&amp;cursor=" in page
    assert "Nothing of this kind" in words(chief.get(f"{path}?kind=shares"))
    assert len(lines(chief, f"{path}?kind=nonsense")) == PAGE


def test_every_action_of_the_product_has_a_kind_and_words() -> None:
    """Read from the sources: what is recorded anywhere is told in words and found by a filter."""
    from app.web.activity.words import VERBS
    from tests.test_architecture import SOURCES

    recorded = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.search(r"record\w*$", ast.unparse(node.func)):
                texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                recorded |= {text for text in texts if re.fullmatch(r"[a-z]+\.[a-z_]+", text)}
    recorded |= {f"{m.__name__.lower()}.{to}" for m, moves in TRANSITIONS.items() for _from, to in moves}
    assert "comment.posted" in recorded
    assert sorted(recorded - set(VERBS)) == []
    nouns = {noun for of_kind in KINDS.values() for noun in of_kind}
    assert sorted({action.partition(".")[0] for action in recorded} - nouns) == []


def test_editors_see_their_project_and_viewers_do_not(pages_app: Flask, rows: Session, ours: Walled) -> None:
    for role, status in (("editor", 200), ("reviewer", 403), ("viewer", 403)):
        browser = Browser(pages_app)
        house = ours.house
        browser.be(rows, make_user(rows, house.organization, project=house.project, project_role=role))
        assert browser.get(f"/projects/{house.project.id}/activity").status_code == status
        assert browser.get("/activity").status_code == 403


def test_the_organisation_s_log_says_where_and_from_where(rows: Session, ours: Walled, chief: Browser) -> None:
    """An act in a browser keeps the address and the browser beside the row, and nothing of it in the row."""
    answer = chief.post("/projects", {"name": "Aurelian second"}, **{"User-Agent": "Mozilla/5.0 Tester"})
    assert answer.status_code == 303
    page = chief.get("/activity")
    assert "created the project Aurelian second" in words(page)
    assert "from 127.0.0.1" in words(page)
    assert "Mozilla/5.0 Tester" in page.get_data(as_text=True)
    row = rows.scalars(
        select(Activity).where(
            Activity.organization_id == ours.house.organization.id, Activity.action == "project.created"
        )
    ).one()
    assert row.people_digest
    assert "127.0.0.1" not in str(row.data)
    people = rows.get_one(ActivityPeople, row.id)
    assert people.data == {"ip": "127.0.0.1", "userAgent": "Mozilla/5.0 Tester"}


def test_nothing_yet_is_said_as_such(boss: Browser, house: House) -> None:
    assert "Nothing has happened yet" in words(boss.get("/activity"))
    assert "Nothing has happened yet" in words(boss.get(f"/projects/{house.project.id}/activity"))


def test_a_bad_cursor_is_refused_with_a_sentence(boss: Browser) -> None:
    answer = boss.get("/activity?cursor=zzz")
    assert answer.status_code == 422
    assert "Begin without one" in words(answer)
