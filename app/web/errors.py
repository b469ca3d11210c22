"""Errors become answers here, and only here: HTTP status, page, fragment or problem+json (RFC 9457)."""

from __future__ import annotations

import math
import re
import time
from urllib.parse import urlsplit

import redis
import structlog
from flask import Flask, Response, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app.core import errors
from app.core.storage import Changed, Missing
from app.extensions import limiter

log = structlog.get_logger(__name__)

STATUS: dict[type[errors.RushesError], int] = {
    errors.TooLarge: 413,
    errors.Rejected: 422,
    errors.Denied: 403,
    errors.Unauthenticated: 401,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    Missing: 409,
    Changed: 409,
}
TITLES = {
    400: "That request cannot be read",
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not this way",
    409: "It has changed meanwhile",
    413: "Too large",
    415: "Not in this form",
    421: "Unknown host",
    422: "Not accepted",
    429: "Too many tries",
    500: "Something of ours broke",
    503: "For a moment not available",
}
#: Title, code and sentence for guests, whatever it is that is not there.
CLOSED = (
    "This link is closed",
    "not_found",
    "It may have been withdrawn, or its last day has passed. Ask whoever sent it to you for a new one.",
)
_HTTP_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def status_of(error: errors.RushesError) -> int:
    """The HTTP status of an error of ours."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)


def wants_json() -> bool:
    """Whether the answer goes to a program: the API, an edge, or a page's own fetch."""
    return f"{request.path}/".startswith(("/api/", "/control/")) or request.accept_mimetypes.best == "application/json"


def register(app: Flask) -> None:
    """Answer every kind of error."""
    app.register_error_handler(errors.RushesError, _ours)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(kind, _database_away)
    app.register_error_handler(Exception, _unexpected)


def answer(
    status: int, code: str, sentence: str, *, fields: dict[str, str] | None = None, title: str | None = None
) -> Response:
    """One error in the form that the caller can read."""
    title = title or TITLES.get(status, "Something went wrong")
    if status == 404 and is_guest_path():  # unknown, closed, past its end, another's: all the same to guests
        title, code, sentence = CLOSED
    if wants_json():
        body = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": sentence,
            "code": code,
            "requestId": g.get("request_id", ""),
        }
        if fields:
            body["errors"] = {_camel(name): sentence for name, sentence in fields.items()}
        response = jsonify(body)
        response.mimetype = "application/problem+json"
    else:
        page = "shares/fault.html" if is_guest_path() else "errors/error.html"
        template = "errors/_fragment.html" if is_partial() else page
        response = make_response(
            render_template(
                template,
                status=status,
                title=title,
                sentence=sentence,
                code=code,
                request_id=g.get("request_id", ""),
                actions=_actions(status),
            )
        )
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _camel(name: str) -> str:
    """`frameIn` for `frame_in`: the API knows a field by its JSON name."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)


def is_partial() -> bool:
    """Whether htmx asks for a fragment (htmx 4 says so in HX-Request-Type)."""
    return request.headers.get("HX-Request-Type") == "partial"


def is_guest_path() -> bool:
    """Whether the address is one of a share's, whether it leads anywhere or not."""
    return request.path.startswith("/s/")


def _actions(status: int) -> list[tuple[str, str]]:
    if is_guest_path():
        return []
    if status == 401:
        return [("Sign in", url_for("auth.sign_in"))]
    return [("All projects", url_for("projects.index"))]


def _ours(error: errors.RushesError) -> Response:
    status = status_of(error)
    if isinstance(error, errors.Unauthenticated) and request.method == "GET" and not wants_json() and not is_partial():
        target = request.full_path.rstrip("?")
        return make_response(redirect(url_for("auth.sign_in", next=target), code=303))
    level = log.error if status >= 500 else log.info
    level("refused", status=status, code=error.code, method=request.method, endpoint=request.endpoint)
    response = answer(status, error.code, error.sentence, fields=error.fields)
    if isinstance(error, errors.TooMany):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.Unavailable):
        response.headers["Retry-After"] = "5"
    if status == 401 and is_partial():
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        back = f"{page.path}?{page.query}" if page.query else page.path
        response.headers["HX-Redirect"] = url_for("auth.sign_in", next=back or None)
    if status == 401 and wants_json():
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _csrf(error: CSRFError) -> Response:
    log.info("refused", status=400, code="csrf", method=request.method, endpoint=request.endpoint)
    return answer(400, "csrf", "This form is too old or came from elsewhere. Reload the page and send it again.")


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    if status == 429:
        wait = _seconds_to_wait()
        sentence = f"Too many tries. Wait {wait} second{'s' if wait > 1 else ''} and try again."
        return _ours(errors.TooMany("too_many_tries", sentence, retry_after=wait))
    code = _HTTP_CODES.get(status, (error.name or "error").lower().replace(" ", "_"))
    log.info("refused", status=status, code=code, method=request.method)
    sentences = {404: "There is nothing here, or it is not yours to see."}
    methods = ", ".join(sorted(error.valid_methods or ())) if isinstance(error, MethodNotAllowed) else ""
    if methods:
        sentences[405] = f"{request.method} is not possible here, only {methods}."
    response = answer(status, code, sentences.get(status, error.description or "The request was not accepted."))
    if methods:
        response.headers["Allow"] = methods
    return response


def _seconds_to_wait() -> int:
    """Until the window of the limit that was exceeded has ended."""
    try:
        limit = limiter.current_limit
        return max(1, math.ceil(limit.reset_at - time.time())) if limit else 60
    except redis.RedisError:
        return 60


def _database_away(error: Exception) -> Response:
    """Said in one line: while the database is away, every request ends here."""
    from flask_login import AnonymousUserMixin

    from app.extensions import db

    log.error("database_away", method=request.method, endpoint=request.endpoint, error=type(error).__name__)
    db.session.remove()
    g._login_user = AnonymousUserMixin()  # the page of the error must not ask the database who reads it
    return _ours(
        errors.Unavailable("database_unavailable", "The database does not answer. Nothing was changed; try again soon.")
    )


def _unexpected(error: Exception) -> Response:
    log.exception("request_crashed", method=request.method, endpoint=request.endpoint)
    return answer(
        500, "internal_error", "Nothing was changed. Try again; if it stays so, give your operator this number."
    )
