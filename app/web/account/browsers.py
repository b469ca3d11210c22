"""What a browser calls itself, in words."""

from __future__ import annotations

#: (what stands in the user agent, what people call it), first match wins.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """`Chrome on Linux`; the user agent's own first words when neither is known."""
    browser = next((word for sign, word in _BROWSERS if sign in user_agent), None)
    system = next((word for sign, word in _SYSTEMS if sign in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or user_agent[:40] or "Unknown browser"
