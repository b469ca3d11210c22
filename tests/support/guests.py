"""A browser without JavaScript: cookies, forms with their CSRF token, addresses as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import urllib3

from tests.support.api import Api

PASSWORD = "harbour lights"
#: Words that appear nowhere else, so that a leak of them is seen.
TITLE = "Zugspitze reel nine"
NAME = "Brightwater screening"
#: The token of every link that a test was given, to be looked for in the logs at the end.
ISSUED: list[str] = []

PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
FRAGMENT = {"Accept": "text/html", "HX-Request": "true", "HX-Request-Type": "partial"}


class Visitor:
    """Sends what a browser would, and follows no redirect by itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=60), retries=False)
        self.cookies: dict[tuple[str, str], str] = {}
        self.csrf = ""

    def get(self, path: str, headers: dict[str, str] = PAGE) -> urllib3.BaseHTTPResponse:
        """GET a path or an address of this site."""
        return self._send("GET", path, headers, None)

    def post(self, path: str, form: dict[str, str], headers: dict[str, str] = PAGE) -> urllib3.BaseHTTPResponse:
        """POST a form with the CSRF token of the page seen last; a first page is fetched for it."""
        if not self.csrf:
            self.get(path)
        fields = urlencode({**form, "csrf_token": self.csrf})
        return self._send("POST", path, {**headers, "Content-Type": "application/x-www-form-urlencoded"}, fields)

    def come_in(self, link: str, *, name: str = "M. Okafor", password: str = "") -> urllib3.BaseHTTPResponse:
        """Open a link, fill the gate in, and follow to the page behind it."""
        self.get(link)
        answer = self.post(link, {"name": name, "password": password})
        hops = 0
        while answer.status == 303 and hops < 4:
            answer, hops = self.get(answer.headers["Location"]), hops + 1
        return answer

    def _send(self, method: str, path: str, headers: dict[str, str], body: str | None) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(path)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        mine = [f"{name}={value}" for (name, where), value in self.cookies.items() if _within(parts.path, where)]
        sent = {**headers, **({"Cookie": "; ".join(mine)} if mine else {})}
        answer = self.http.request(method, self.url + target, headers=sent, body=body, redirect=False)
        self._keep(answer)
        found = re.search(rb'name="csrf-token" content="([^"]+)"', answer.data)
        if found:
            self.csrf = found[1].decode()
        return answer

    def _keep(self, answer: urllib3.BaseHTTPResponse) -> None:
        for line in answer.headers.getlist("Set-Cookie"):
            pair, *rest = [piece.strip() for piece in line.split(";")]
            name, _, value = pair.partition("=")
            facts = {key.lower(): val for key, _, val in (piece.partition("=") for piece in rest)}
            key = (name, facts.get("path", "/"))
            if value and facts.get("max-age") != "0":
                self.cookies[key] = value
            else:
                self.cookies.pop(key, None)


def _within(path: str, where: str) -> bool:
    return path == where or path.startswith(where.rstrip("/") + "/") or where == "/"


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


#: Makes a share of the film with the given terms of the API.
MakeShare = Callable[..., Link]


def playback(visitor: Visitor, link: Link, film: str) -> tuple[int, Any]:
    answer = visitor.get(f"{link.path}/assets/{film}/playback", JSON)
    return answer.status, answer.json() if answer.status == 200 else None


def media(visitor: Visitor, url: str) -> int:
    return int(visitor.http.request("GET", visitor.url + url).status)


def comment(visitor: Visitor, link: Link, film: str, body: str, version: str) -> Any:
    form = {"version_id": version, "frame_in": "12", "body": body}
    return visitor.post(f"{link.path}/assets/{film}/comments", form)


def someones_comment(guest: Visitor, link: Link, admin: Api, film: str) -> str:
    version = admin.version(film)["id"]
    assert comment(guest, link, film, f"by {uuid4().hex}", version).status == 303
    _, listed = admin.call("GET", f"/api/comments?versionId={version}&limit=200")
    return str(next(item["id"] for item in reversed(listed["items"]) if item["author"]["guest"]))
