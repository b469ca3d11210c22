"""Is it alive, is it ready, and what it counts."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from app.core.errors import NotFound
from app.extensions import db, limiter
from app.web.metrics import render
from app.web.security import is_loopback, public
from app.web.services import services

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public("platforms ask whether the process lives")
@limiter.exempt
def healthz() -> ResponseReturnValue:
    """The process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public("platforms ask whether requests may come")
@limiter.exempt
def readyz() -> ResponseReturnValue:
    """The database answers, and its tables are there."""
    try:
        db.session.execute(text("select 1 from alembic_version"))
    except Exception:
        response = jsonify(status="unavailable", part="database")
        response.status_code = 503
        return response
    return jsonify(status="ok")


@blueprint.get("/metrics")
@public("guarded by METRICS_TOKEN; without one, only for this machine and never through a proxy")
@limiter.exempt
def metrics() -> ResponseReturnValue:
    """What the web counts, for Prometheus. Raises NotFound to strangers."""
    token = services().settings.metrics_token
    if token is not None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        allowed = hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    else:
        forwarded = "X-Forwarded-For" in request.headers
        allowed = not forwarded and is_loopback(request.remote_addr or "")
    if not allowed:
        raise NotFound("not_found", "There is nothing here, or it is not yours to see.")
    return Response(render(), content_type=CONTENT_TYPE_LATEST)
