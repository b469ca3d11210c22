"""A guest's visit: the gate, the room, comments, downloads."""

from __future__ import annotations

import hashlib
import re
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import ShareAccess
from tests.support.api import Api
from tests.support.guests import (
    FRAGMENT,
    NAME,
    PAGE,
    PASSWORD,
    TITLE,
    Link,
    MakeShare,
    Visitor,
    comment,
    media,
    playback,
    someones_comment,
)
from tests.support.running import Running


def test_a_guest_comes_in_watches_and_comments(
    share: MakeShare, visitor: Visitor, admin: Api, film: str, fresh: Session
) -> None:
    link = share(password=PASSWORD)
    gate = visitor.get(link.path)
    assert gate.status == 200
    for secret in (TITLE, NAME, "short_v07.mp4", "Demo"):
        assert secret.encode() not in gate.data
    room = visitor.come_in(link.path, password=PASSWORD, name="M. <b>Okafor</b>")
    assert room.status == 200
    assert TITLE.encode() in room.data
    for internal in (b"short_v07.mp4", b"sha256", b"Governance", b"/projects/", b"All facts", b"admin@"):
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


def test_the_link_stays_the_same(share: MakeShare, admin: Api) -> None:
    link = share()
    for _ in range(2):
        _, shares = admin.call("GET", "/api/shares")
        assert next(item["link"] for item in shares["items"] if item["id"] == link.id) == link.url
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", link.token)


def test_a_wrong_password_is_said_and_recorded(share: MakeShare, visitor: Visitor, fresh: Session) -> None:
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


def test_tries_are_counted_per_link_and_address(share: MakeShare, visitor: Visitor) -> None:
    link, door = share(password=PASSWORD), share(password=PASSWORD)
    answers = [visitor.post(link.path, {"name": "Eve", "password": f"guess {n}"}).status for n in range(12)]
    assert answers[:10] == [422] * 10
    assert answers[10:] == [429] * 2
    assert visitor.come_in(door.path, password=PASSWORD).status == 200  # the office next door


def test_who_may_only_watch_sees_no_comment(share: MakeShare, visitor: Visitor, admin: Api, film: str) -> None:
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
    share: MakeShare, visitor: Visitor, film: str, other_film: str, admin: Api
) -> None:
    link = share()
    visitor.come_in(link.path)
    elsewhere = admin.version(other_film)["id"]
    assert comment(visitor, link, film, "hello", elsewhere).status == 422
    assert comment(visitor, link, film, "", admin.version(film)["id"]).status == 422
    assert comment(visitor, link, film, "x", "no id").status == 422


def test_a_master_is_given_once_recorded(
    share: MakeShare, visitor: Visitor, film: str, admin: Api, fresh: Session, stack: Running
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


def test_a_preview_file_needs_the_permission(share: MakeShare, visitor: Visitor, film: str, admin: Api) -> None:
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
