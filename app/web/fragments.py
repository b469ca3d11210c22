"""A fragment is a named Jinja block of its page; it is rendered alone for htmx."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, make_response


def render_fragment(template: str, block: str, **context: Any) -> Response:
    """Render one block of a page. Imports that it uses must stand inside it (Jinja renders the block alone)."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    app.update_template_context(context)
    page = app.jinja_env.get_template(template)
    text = "".join(page.blocks[block](page.new_context(context)))
    response = make_response(text)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "HX-Request, HX-Request-Type"
    return response
