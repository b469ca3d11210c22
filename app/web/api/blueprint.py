"""The blueprint of the API, and how much of it one caller may use."""

from __future__ import annotations

from flask import Blueprint, request

from app.core.passwords import hash_token
from app.extensions import limiter
from app.web.security import bearer_token, this_visitor
from app.web.services import services

blueprint = Blueprint("api", __name__, url_prefix="/api")


def _caller() -> str:
    """Who is counted: the token (its hash, so that Redis holds no key), the person signed in, the address."""
    token = bearer_token()
    if token is not None:
        return f"token:{hash_token(token)[:32]}"
    visitor = this_visitor()
    return f"user:{visitor.user.id}" if visitor else f"address:{request.remote_addr}"


def _rate() -> str:
    return f"{services().settings.api_rate_per_minute} per minute"


# One count for all calls; Redis holds it, and each process its own while there is no Redis.
limiter.shared_limit(_rate, scope="api", key_func=_caller)(blueprint)
