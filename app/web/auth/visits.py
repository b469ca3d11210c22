"""Sign this browser in."""

from __future__ import annotations

import structlog
from flask import request, session
from flask_login import login_user

from app.extensions import db
from app.models import User
from app.web.security import SignedIn
from app.workflows.begin_session import begin_session

log = structlog.get_logger(__name__)


def sign_in_here(user: User) -> None:
    """Begin a session of a person whose password or link was checked, and commit. Raises Unauthenticated."""
    visit = begin_session(db.session(), user, request.user_agent.string or "")
    db.session.commit()
    session.clear()  # a fresh session: nothing that was fixed before survives
    session.permanent = True
    login_user(SignedIn(visit))
    log.info("signed_in", user_id=str(user.id))
