"""Addresses of static files, with a digest, so that they may be cached for ever."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import url_for

ROOT = Path(__file__).resolve().parents[2] / "static"


@lru_cache(maxsize=512)
def _digest(path: str, _changed: int) -> str:
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()[:12]


def asset_url(path: str) -> str:
    """`/static/{path}?v={digest}`; without the digest where the file is not there (then it is a 404 that shows)."""
    file = ROOT / path
    if not file.is_file():
        return url_for("static", filename=path)
    return url_for("static", filename=path, v=_digest(path, file.stat().st_mtime_ns))
