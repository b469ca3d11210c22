"""The JSON API (design 5). The calls stand by theme in the modules that this one imports."""

from __future__ import annotations

from app.web.api import assets, comments, openapi, projects, shares, uploads  # noqa: F401  they add their routes
from app.web.api.blueprint import blueprint

__all__ = ["blueprint"]
