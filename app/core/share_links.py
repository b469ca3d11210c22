"""The token in a share's link: derived, so that "copy link" works every day, and never stored but as its hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

_PURPOSE = b"rushes links of shares v1"


def share_token(secret: bytes, share_id: UUID, link_generation: int) -> str:
    """43 characters of base64url: HMAC-SHA256 (RFC 2104) of the share's id and the number of its link.

    `secret` is SECRET_KEY; the key used is one of its own, derived from it.
    """
    key = hmac.new(secret, _PURPOSE, hashlib.sha256).digest()
    text = f"share\n{share_id}\n{link_generation}".encode("ascii")
    return base64.urlsafe_b64encode(hmac.new(key, text, hashlib.sha256).digest()).rstrip(b"=").decode("ascii")
