"""One choke point: every route of a link, tried with every kind of link that must not open it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from app.models import Guest, Share, utc_now
from tests.support.api import Api
from tests.support.guests import (
    FRAGMENT,
    ISSUED,
    JSON,
    NAME,
    PAGE,
    PASSWORD,
    TITLE,
    MakeShare,
    Visitor,
    someones_comment,
)
from tests.support.running import Running


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


LEAKS = (TITLE.encode(), NAME.encode(), b"short_v07.mp4", b"Never shown", b"Demo", b"00:02:10", b"/v/")


@pytest.mark.parametrize("headers", [PAGE, FRAGMENT, JSON], ids=["page", "fragment", "json"])
def test_closed_links_are_all_alike(
    share: MakeShare, rules: list[Rule], stack: Running, admin: Api, film: str, fresh: Session, headers: dict[str, str]
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
    share: MakeShare, rules: list[Rule], stack: Running, admin: Api, film: str, headers: dict[str, str]
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
    share: MakeShare, rules: list[Rule], stack: Running, admin: Api, film: str, other_film: str, fresh: Session,
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


def test_every_page_of_a_link_keeps_its_address_to_itself(share: MakeShare, visitor: Visitor) -> None:
    link = share()
    for path in (link.path, f"{link.path}/assets", f"{link.path}/nothing/here", "/s/unknown", "/s/"):
        answer = visitor.get(path)
        assert answer.headers["Referrer-Policy"] == "no-referrer", path
        assert "noindex" in answer.headers["X-Robots-Tag"], path
        assert answer.headers["Cache-Control"] == "no-store", path


def test_nothing_of_it_is_in_a_log(stack: Running, share: MakeShare, visitor: Visitor) -> None:
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
