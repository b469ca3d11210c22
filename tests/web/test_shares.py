"""Shares: who has a link gets what it opens and nothing else, and no longer than it should."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from app.models import EdgeEvent, Guest, MediaScope, Share, ShareAccess, utc_now
from tests.support.api import Api
from tests.support.guests import FRAGMENT, JSON, PAGE, Visitor
from tests.support.running import Running
from tests.web.conftest import Known

PASSWORD = "harbour lights"
TITLE = "Zugspitze reel nine"
NAME = "Brightwater screening"
ISSUED: list[str] = []


@dataclass(frozen=True)
class Link:
    """A share as the API gave it."""

    id: str
    url: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def token(self) -> str:
        return self.path.removeprefix("/s/")


Share_ = Callable[..., Link]


@pytest.fixture(scope="module")
def film(admin: Api, asset: str) -> str:
    """The asset, under a title that appears nowhere else."""
    assert admin.call("PATCH", f"/api/assets/{asset}", {"title": TITLE})[0] == 200
    return asset


@pytest.fixture(scope="module")
def other_film(admin: Api, stack: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Another asset of the same project, which is not shared."""
    from tests.support.coded_film import write_film

    file = write_film(tmp_path_factory.mktemp("other") / "other.mp4", frames=30, size=(320, 180))
    done = admin.send(file.read_bytes(), project_id=stack.project_id, title="Never shown to anybody")
    assert admin.wait(done["assetId"])["state"] == "complete"
    return str(done["assetId"])


@pytest.fixture(scope="module")
def share(admin: Api, stack: Running, film: str) -> Share_:
    """Makes a share of the film by the API."""

    def make(**terms: Any) -> Link:
        body = {"projectId": stack.project_id, "name": NAME, "assetIds": [film], **terms}
        status, made = admin.call("POST", "/api/shares", body)
        assert status == 201, made
        link = Link(made["id"], made["link"])
        ISSUED.append(link.token)
        return link

    return make


@pytest.fixture
def visitor(stack: Running) -> Visitor:
    return Visitor(stack.url)


@pytest.fixture
def fresh(database: Session) -> Iterator[Session]:
    """The database as it is now."""
    database.rollback()
    yield database
    database.rollback()


def playback(visitor: Visitor, link: Link, film: str) -> tuple[int, Any]:
    answer = visitor.get(f"{link.path}/assets/{film}/playback", JSON)
    return answer.status, answer.json() if answer.status == 200 else None


def media(visitor: Visitor, url: str) -> int:
    return int(visitor.http.request("GET", visitor.url + url).status)


def comment(visitor: Visitor, link: Link, film: str, body: str, version: str) -> Any:
    form = {"version_id": version, "frame_in": "12", "body": body}
    return visitor.post(f"{link.path}/assets/{film}/comments", form)


def test_a_guest_comes_in_watches_and_comments(
    share: Share_, visitor: Visitor, admin: Api, film: str, fresh: Session
) -> None:
    link = share(password=PASSWORD)
    gate = visitor.get(link.path)
    assert gate.status == 200
    for secret in (TITLE, NAME, "short.mp4", "Demo"):
        assert secret.encode() not in gate.data
    room = visitor.come_in(link.path, password=PASSWORD, name="M. <b>Okafor</b>")
    assert room.status == 200
    assert TITLE.encode() in room.data
    for internal in (b"short.mp4", b"sha256", b"Governance", b"/projects/", b"All facts", b"admin@"):
        assert internal not in room.data
    status, described = playback(visitor, link, film)
    assert status == 200
    assert described["hls"].split("/")[2].split(".")[1].startswith("v")
    assert media(visitor, described["hls"]) == 200
    assert described["mp4"] is None

    version = admin.version(film)["id"]
    posted = comment(visitor, link, film, "The <i>logo</i> is late.", version)
    assert posted.status == 303
    room = visitor.get(posted.headers["Location"])
    assert b"The &lt;i&gt;logo&lt;/i&gt; is late." in room.data
    assert b"M. &lt;b&gt;Okafor&lt;/b&gt;" in room.data
    _, listed = admin.call("GET", f"/api/comments?versionId={version}")
    mine = next(item for item in listed["items"] if item["author"]["guest"])
    assert (mine["author"]["name"], mine["frameIn"]) == ("M. <b>Okafor</b>", 12)
    taken = visitor.post(f"{link.path}/comments/{mine['id']}/delete", {})
    assert taken.status == 303

    rows = fresh.scalars(select(ShareAccess).where(ShareAccess.share_id == UUID(link.id))).all()
    whats = [row.what for row in sorted(rows, key=lambda row: row.created_at)]
    assert whats == ["opened", "viewed", "commented", "comment_deleted"]
    assert {row.ip for row in rows} <= {"127.0.0.1", "::1"}
    _, shares = admin.call("GET", f"/api/shares?projectId={link_project(admin, link)}")
    told = next(item for item in shares["items"] if item["id"] == link.id)
    assert (told["visits"], told["hasPassword"], told["state"]) == (1, True, "open")


def link_project(admin: Api, link: Link) -> str:
    _, shares = admin.call("GET", "/api/shares")
    return str(next(item["projectId"] for item in shares["items"] if item["id"] == link.id))


def test_the_link_stays_the_same(share: Share_, admin: Api) -> None:
    link = share()
    for _ in range(2):
        _, shares = admin.call("GET", "/api/shares")
        assert next(item["link"] for item in shares["items"] if item["id"] == link.id) == link.url
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", link.token)


def test_a_wrong_password_is_said_and_recorded(share: Share_, visitor: Visitor, fresh: Session) -> None:
    link = share(password=PASSWORD)
    lying = {**PAGE, "X-Forwarded-For": "198.51.100.9", "X-Real-IP": "198.51.100.9", "User-Agent": "Eve/1"}
    refused = visitor.post(link.path, {"name": "Eve", "password": "harbour light"}, lying)
    assert refused.status == 422
    assert TITLE.encode() not in refused.data
    assert NAME.encode() not in refused.data
    assert refused.headers.getlist("Set-Cookie") == [] or "rushes_guest" not in str(refused.headers)
    assert visitor.get(f"{link.path}/assets").status == 303
    row = fresh.scalars(select(ShareAccess).where(ShareAccess.share_id == UUID(link.id))).one()
    assert (row.what, row.user_agent) == ("refused", "Eve/1")
    assert row.ip in ("127.0.0.1", "::1")  # what the trusted proxy saw, not what the caller claims
    nameless = visitor.post(link.path, {"name": " \u200b ", "password": PASSWORD})
    assert nameless.status == 422


def test_tries_are_counted_per_link_and_address(share: Share_, visitor: Visitor) -> None:
    link, door = share(password=PASSWORD), share(password=PASSWORD)
    answers = [visitor.post(link.path, {"name": "Eve", "password": f"guess {n}"}).status for n in range(12)]
    assert answers[:10] == [422] * 10
    assert answers[10:] == [429] * 2
    assert visitor.come_in(door.path, password=PASSWORD).status == 200  # the office next door


# One choke point


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    """Every route under /s/ of the app."""
    from app.core.settings import WebSettings, load
    from app.factory import create_app
    from tests.core.test_settings import WEB

    app: Flask = create_app(load(WebSettings, WEB))
    found = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/s/")]
    assert len(found) >= 12
    for rule in found:
        view = app.view_functions[rule.endpoint]
        assert getattr(view, "policy", "").partition(".")[0] in {
            "share",
            "asset",
            "preview",
            "comment",
            "proxy",
            "master",
        }
    return found


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    gate: bool


def calls(rules: list[Rule], token: str, asset: str, comment_id: str) -> list[Call]:
    """Every route × method; an argument that this test cannot fill fails it."""
    values = {"token": token, "asset_id": asset, "comment_id": comment_id}
    found = []
    for rule in rules:
        assert rule.arguments <= set(values), f"{rule.rule}: say here how to fill it"
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: values[match[1]], rule.rule)
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            found.append(Call(method, path, gate=rule.rule == "/s/<token>"))
    return found


def ask(visitor: Visitor, call: Call, headers: dict[str, str]) -> Any:
    if call.method == "POST":
        return visitor.post(call.path, {"name": "Eve", "password": "x", "body": "x", "frame_in": "1"}, headers)
    return visitor._send(call.method, call.path, headers, None)


def blank(body: bytes) -> bytes:
    """A page without what differs by request: CSRF token, request id."""
    body = re.sub(rb'(content|value)="[^"]{60,}"', b"", body)
    body = re.sub(rb'X-CSRFToken": "[^"]+"', b"", body)
    body = re.sub(rb'"mono">[0-9a-f]{16}<', b"", body)
    return re.sub(rb'requestId": ?"[^"]+"', b"", body)


LEAKS = (TITLE.encode(), NAME.encode(), b"short.mp4", b"Never shown", b"Demo", b"00:02:10", b"/v/")


@pytest.mark.parametrize("headers", [PAGE, FRAGMENT, JSON], ids=["page", "fragment", "json"])
def test_closed_links_are_all_alike(
    share: Share_, rules: list[Rule], stack: Running, admin: Api, film: str, fresh: Session, headers: dict[str, str]
) -> None:
    revoked, expired = share(password=PASSWORD), share()
    inside = Visitor(stack.url)
    assert inside.come_in(expired.path).status == 200
    insider = Visitor(stack.url)
    assert insider.come_in(revoked.path, password=PASSWORD).status == 200
    note = someones_comment(inside, expired, admin, film)
    assert admin.call("DELETE", f"/api/shares/{revoked.id}")[0] == 204
    fresh.get_one(Share, UUID(expired.id)).expires_at = utc_now() - timedelta(seconds=1)
    fresh.commit()
    unknown = "A" * 43
    seen: dict[tuple[str, str], set[tuple[int, bytes]]] = {}
    for token, who in (
        (unknown, Visitor(stack.url)),
        (revoked.token, insider),
        (expired.token, inside),
        (revoked.token, Visitor(stack.url)),
        ("%00" + "x" * 20, Visitor(stack.url)),
    ):
        for call in calls(rules, token, film, note):
            answer = ask(who, call, headers)
            assert answer.status == 404, (call, answer.status)
            for leak in LEAKS:
                assert leak not in answer.data, (call, leak)
            key = (call.method, call.path.replace(token, "…"))
            seen.setdefault(key, set()).add((answer.status, blank(answer.data)))
    assert {key: len(forms) for key, forms in seen.items() if len(forms) > 1} == {}


@pytest.mark.parametrize("headers", [PAGE, FRAGMENT, JSON], ids=["page", "fragment", "json"])
def test_a_locked_link_opens_nothing(
    share: Share_, rules: list[Rule], stack: Running, admin: Api, film: str, headers: dict[str, str]
) -> None:
    link, open_one = share(password=PASSWORD, download="master"), share()
    guest = Visitor(stack.url)
    assert guest.come_in(open_one.path).status == 200
    note = someones_comment(guest, open_one, admin, film)
    outsider = Visitor(stack.url)
    for call in calls(rules, link.token, film, note):
        answer = ask(outsider, call, headers)
        if call.gate:
            assert answer.status == (422 if call.method == "POST" else 200), call
        elif answer.status == 303:
            assert answer.headers["Location"] == link.path
            assert headers is PAGE
        else:
            assert answer.status == 401, (call, answer.status)
        for leak in LEAKS:
            assert leak not in answer.data, (call, leak)


@pytest.mark.parametrize("headers", [PAGE, FRAGMENT, JSON], ids=["page", "fragment", "json"])
def test_a_guest_of_one_share_gets_nothing_of_another(
    share: Share_, rules: list[Rule], stack: Running, admin: Api, film: str, other_film: str, fresh: Session,
    headers: dict[str, str],
) -> None:  # fmt: skip
    mine = share(assetIds=[other_film], download="master", name="Mine")
    theirs = share(password=PASSWORD, download="master")
    me, them = Visitor(stack.url), Visitor(stack.url)
    assert me.come_in(mine.path).status == 200
    assert them.come_in(theirs.path, password=PASSWORD).status == 200
    note = someones_comment(them, theirs, admin, film)
    for call in calls(rules, mine.token, film, note):
        if film not in call.path and note not in call.path:
            continue
        answer = ask(me, call, headers)
        assert answer.status == 404, (call, answer.status)
        assert TITLE.encode() not in answer.data
    # Even with the cookie sent along to the other link's pages.
    thief = Visitor(stack.url)
    thief.cookies[("rushes_guest", theirs.path)] = me.cookies[("rushes_guest", mine.path)]
    for call in calls(rules, theirs.token, film, note):
        answer = ask(thief, call, headers)
        assert call.gate or answer.status in (303, 401), (call, answer.status)
        assert TITLE.encode() not in answer.data
    forged = Visitor(stack.url)
    guest_id = fresh.scalars(select(Guest.id).where(Guest.share_id == UUID(theirs.id))).first()
    forged.cookies[("rushes_guest", theirs.path)] = f"{guest_id}"
    assert forged.get(f"{theirs.path}/assets/{film}", JSON).status == 401


def someones_comment(guest: Visitor, link: Link, admin: Api, film: str) -> str:
    version = admin.version(film)["id"]
    assert comment(guest, link, film, f"by {uuid4().hex}", version).status == 303
    _, listed = admin.call("GET", f"/api/comments?versionId={version}&limit=200")
    return str(next(item["id"] for item in reversed(listed["items"]) if item["author"]["guest"]))


def test_every_page_of_a_link_keeps_its_address_to_itself(share: Share_, visitor: Visitor) -> None:
    link = share()
    for path in (link.path, f"{link.path}/assets", f"{link.path}/nothing/here", "/s/unknown", "/s/"):
        answer = visitor.get(path)
        assert answer.headers["Referrer-Policy"] == "no-referrer", path
        assert "noindex" in answer.headers["X-Robots-Tag"], path
        assert answer.headers["Cache-Control"] == "no-store", path


# What the owner changes acts at once


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
    share: Share_, visitor: Visitor, admin: Api, film: str, fresh: Session, stack: Running
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
    share: Share_, visitor: Visitor, admin: Api, film: str, fresh: Session
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
    share: Share_, visitor: Visitor, admin: Api, film: str, other_film: str, fresh: Session
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


def test_addresses_end_with_the_share(share: Share_, visitor: Visitor, film: str, admin: Api, fresh: Session) -> None:
    end = utc_now() + timedelta(seconds=90)
    link = share(expiresAt=end.isoformat())
    visitor.come_in(link.path)
    _, described = playback(visitor, link, film)
    assert int(described["token"].split(".")[0]) <= end.timestamp()
    assert 0 < described["expiresIn"] <= 90
    late = {"expiresAt": (utc_now() - timedelta(days=1)).isoformat()}
    assert admin.call("PATCH", f"/api/shares/{link.id}", late)[0] == 422
    assert admin.call("PATCH", f"/api/shares/{link.id}", {"expiresAt": None})[1]["expiresAt"] is None


def test_who_may_only_watch_sees_no_comment(share: Share_, visitor: Visitor, admin: Api, film: str) -> None:
    link = share(mayComment=False)
    talker, chatty = Visitor(visitor.url), share()
    talker.come_in(chatty.path)
    note = someones_comment(talker, chatty, admin, film)
    room = visitor.come_in(link.path)
    assert room.status == 200
    assert note.encode() not in room.data
    assert b"composer" not in room.data
    assert visitor.get(f"{link.path}/assets/{film}/comments", FRAGMENT).status == 404
    assert comment(visitor, link, film, "hello", admin.version(film)["id"]).status == 404


def test_a_comment_needs_the_version_on_show(
    share: Share_, visitor: Visitor, film: str, other_film: str, admin: Api
) -> None:
    link = share()
    visitor.come_in(link.path)
    elsewhere = admin.version(other_film)["id"]
    assert comment(visitor, link, film, "hello", elsewhere).status == 422
    assert comment(visitor, link, film, "", admin.version(film)["id"]).status == 422
    assert comment(visitor, link, film, "x", "no id").status == 422


# Downloads


def test_a_master_is_given_once_recorded(
    share: Share_, visitor: Visitor, film: str, admin: Api, fresh: Session, stack: Running
) -> None:
    link, without = share(download="master"), share(download="proxy")
    visitor.come_in(link.path)
    answer = visitor.post(f"{link.path}/assets/{film}/master", {})
    assert answer.status == 303
    address = answer.headers["Location"]
    got = visitor.http.request("GET", address)
    assert got.status == 200, got.data[:300]
    assert "attachment" in got.headers["Content-Disposition"]
    assert got.headers["Content-Type"] == "application/octet-stream"
    import hashlib

    assert hashlib.sha256(got.data).hexdigest() == admin.version(film)["sha256"]
    for spoiled in (
        re.sub(r"X-Amz-Signature=\w{4}", "X-Amz-Signature=0000", address),
        address.partition("?")[0],
        address.replace("attachment", "inline"),
    ):
        assert visitor.http.request("GET", spoiled).status == 403
    assert visitor.http.request("PUT", address, body=b"x").status == 403
    assert visitor.http.request("DELETE", address).status == 403
    whats = fresh.scalars(select(ShareAccess.what).where(ShareAccess.share_id == UUID(link.id))).all()
    assert whats.count("master_downloaded") == 1
    visitor.come_in(without.path)
    assert visitor.post(f"{without.path}/assets/{film}/master", {}).status == 404
    assert visitor.get(f"{link.path}/assets/{film}/master").status == 405


def test_a_preview_file_needs_the_permission(share: Share_, visitor: Visitor, film: str, admin: Api) -> None:
    link, without = share(download="proxy"), share()
    visitor.come_in(without.path)
    assert visitor.get(f"{without.path}/assets/{film}/preview-file").status == 404
    room = visitor.come_in(link.path)
    answer = visitor.get(f"{link.path}/assets/{film}/preview-file")
    _, described = playback(visitor, link, film)
    if described["mp4"] is None:
        assert answer.status == 409
        assert b"It is being built" in room.data
        return
    assert answer.status == 303
    got = visitor.http.request("GET", visitor.url + answer.headers["Location"])
    assert (got.status, got.headers["Content-Disposition"]) == (200, "attachment")


# The house's side


def test_members_need_the_role(
    member: Callable[[str], Known], stranger: Known, share: Share_, stack: Running, film: str
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


def test_nothing_of_it_is_in_a_log(stack: Running, share: Share_, visitor: Visitor) -> None:
    """Last: every token that this module gave out, and the password."""
    link = share(password=PASSWORD)
    visitor.get(link.path, {**PAGE, "Referer": stack.url + link.path})
    visitor.get(f"{link.path}/%ff%00/..;/x")
    assert ISSUED
    for file in (stack.folder / "logs").iterdir():
        text = file.read_text(errors="replace")
        for token in ISSUED:
            assert token not in text, file.name
        assert PASSWORD not in text, file.name
