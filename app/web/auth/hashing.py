"""argon2 takes some ten milliseconds of one core: kept off gevent's loop where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from app.core.passwords import hash_password, password_matches

R = TypeVar("R")


def matches(stored: str | None, password: str) -> bool:
    """`password_matches` in a thread."""
    return _in_thread(password_matches, stored, password)


def hashed(password: str) -> str:
    """`hash_password` in a thread."""
    return _in_thread(hash_password, password)


def _in_thread(work: Callable[..., R], *arguments: object) -> R:
    from gevent import get_hub
    from gevent.monkey import is_module_patched

    if not is_module_patched("socket"):
        return work(*arguments)
    return cast(R, get_hub().threadpool.apply(work, arguments))
