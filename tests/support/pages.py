"""A browser without a window: one visitor of the app's pages, with cookies and the CSRF token of the last page."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.models import User, UserSession, utc_now

_CSRF = re.compile(r'name="csrf-token" content="([^"]+)"')


class Browser:
    """GETs and POSTs as a browser would; forms carry the token of the page seen last."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.csrf = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        """One page; redirects are not followed."""
        return self._seen(self.client.get(path, headers=headers))

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        """Send a form."""
        if not self.csrf:
            self.get("/no-such-page")
        return self._seen(self.client.post(path, data={"csrf_token": self.csrf, **(data or {})}, headers=headers))

    def sign_in(self, email: str, password: str, path: str = "/sign-in") -> TestResponse:
        """By the form."""
        self.get("/sign-in")
        answer = self.post(path, {"email": email, "password": password})
        self.csrf = ""  # the session is a new one
        return answer

    def be(self, session: Session, user: User) -> UserSession:
        """Signed in without the form, which lets nobody try too often."""
        visit = UserSession(
            id=uuid4(), user_id=user.id, last_seen_at=utc_now(), user_agent="Mozilla/5.0 (X11; Linux) Firefox/140.0"
        )
        session.add(visit)
        session.commit()
        with self.client.session_transaction() as cookie:
            cookie["_user_id"], cookie["_fresh"] = str(visit.id), True
        self.csrf = ""
        return visit

    def _seen(self, answer: TestResponse) -> TestResponse:
        found = _CSRF.search(answer.get_data(as_text=True)) if answer.mimetype == "text/html" else None
        if found:
            self.csrf = found[1]
        return answer


def words(answer: TestResponse) -> str:
    """The page's text without tags, one space between words."""
    return " ".join(re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True)).split())
