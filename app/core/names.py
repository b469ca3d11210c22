"""Names and titles that people give to things."""

from __future__ import annotations

import unicodedata

from app.core.errors import Rejected

MAX_NAME = 120


def clean_name(text: str, what: str, *, field: str = "name", limit: int = MAX_NAME) -> str:
    """The name as it is kept: NFC, without control characters, one space between words.

    `what` is the thing's noun for the sentence. Raises Rejected when nothing is left, or more than `limit`
    characters.
    """
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in unicodedata.normalize("NFC", text))
    name = " ".join(visible.split())
    if not name:
        sentence = f"Give the {what} a name."
        raise Rejected("name_missing", sentence, fields={field: sentence})
    if len(name) > limit:
        sentence = f"This name has {len(name)} characters; {limit} is the most. Shorten it."
        raise Rejected("name_too_long", sentence, fields={field: sentence})
    return name
