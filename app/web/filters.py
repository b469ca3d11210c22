"""How values read on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def human_bytes(size: int) -> str:
    """`12.4 MB`, in powers of 1000 as disks and S3 count."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}" if value < 10 else f"{value:.0f} {_UNITS[unit]}"


def when(moment: datetime) -> Markup:
    """A `<time>` that reads well without a script; the page's script puts it into the viewer's zone."""
    moment = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"), _words(moment, datetime.now(UTC))
    )


def _words(moment: datetime, now: datetime) -> str:
    ago = now - moment
    if timedelta(0) <= ago < timedelta(minutes=1):
        return "just now"
    if timedelta(0) <= ago < timedelta(hours=1):
        minutes = int(ago.total_seconds() // 60)
        return f"{minutes} minute{'s' if minutes > 1 else ''} ago"
    if moment.date() == now.date():
        return f"today, {moment:%H:%M} UTC"
    return f"{moment.day} {moment:%B %Y}, {moment:%H:%M} UTC"


FILTERS: Mapping[str, Callable[..., Any]] = {"when": when, "bytes": human_bytes}
