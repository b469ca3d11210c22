"""From where the present request comes: kept beside the activities that it makes, and erasable there."""

from __future__ import annotations

from flask import has_request_context, request

MAX_USER_AGENT = 300


def visitor_facts() -> dict[str, str]:
    """{"ip", "userAgent"} of the caller; nothing outside of a request.

    The address is the one that the trusted proxies name (TRUSTED_PROXIES), else that of the connection.
    """
    if not has_request_context():
        return {}
    agent = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())
    facts = {"ip": request.remote_addr or "", "userAgent": agent[:MAX_USER_AGENT]}
    return {name: value for name, value in facts.items() if value}
