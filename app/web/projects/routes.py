"""Projects. The pages stand by theme in the modules that this one imports."""

from __future__ import annotations

from app.web.projects import arrange, clients, collections, index, members, settings, sheet  # noqa: F401  routes
from app.web.projects.blueprint import blueprint

__all__ = ["blueprint"]
