"""The blueprint of projects and what belongs to them."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("projects", __name__)
