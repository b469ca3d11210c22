"""The header Idempotency-Key: a call that is sent again is answered again, and done once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from app.core.errors import Rejected
from app.extensions import db
from app.web.security import current_principal
from app.workflows.answer_once import Kept, claim_key, keep_answer

HEADER = "Idempotency-Key"
KEY_PATTERN = "^[!-~]{1,200}$"
_KEY = re.compile(KEY_PATTERN.rstrip("$") + r"\Z")

#: A view that does its work without a commit and returns its answer and status.
View = Callable[..., tuple[Mapping[str, Any], int]]


def answers_once(
    view: View | None = None, *, again: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> Callable[..., Any]:
    """Commit a view's work together with its answer, which is given again to the same call under the same key.

    `again` makes anew what cannot be kept (signed addresses: they end before the key does); such parts of the
    answer are not stored. A call without the header is simply done.
    """
    if view is None:
        return lambda decorated: answers_once(decorated, again=again)

    @wraps(view)
    def answered(**arguments: Any) -> ResponseReturnValue:
        key = request.headers.get(HEADER)
        if key is None:
            answer, status = view(**arguments)
            db.session.commit()
            return jsonify(answer), status
        if not _KEY.match(key):
            raise Rejected("bad_idempotency_key", f"{HEADER} must be 1 to 200 printable characters without spaces.")
        user_id = current_principal().user_id
        kept = claim_key(db.session(), user_id, key, _fingerprint())
        if kept is not None:
            body = again(kept.answer) if again else kept.answer
            db.session.commit()
            return jsonify(body), kept.status, {"Idempotent-Replayed": "true"}
        answer, status = view(**arguments)
        lasting = {**answer, "parts": []} if again else dict(answer)
        keep_answer(db.session(), user_id, key, Kept(status, lasting))
        db.session.commit()
        return jsonify(answer), status

    return answered


def _fingerprint() -> str:
    """Tells a repetition from another request: method, path and body, byte for byte."""
    start = f"{request.method} {request.path}\n".encode()
    return hashlib.sha256(start + request.get_data()).hexdigest()
