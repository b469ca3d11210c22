"""Password and token hashes."""

from __future__ import annotations

import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.core.errors import Rejected

_HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106's second choice
#: Checked for unknown addresses, so that they take as long as known ones.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))

#: Long enough that guessing is hopeless against argon2, whatever the characters are.
MIN_PASSWORD = 12
MAX_PASSWORD = 1024

TOKEN_PREFIX = "rsh_"  # noqa: S105  a prefix for secret scanners, not a secret


def check_new_password(password: str, *, field: str = "password") -> None:
    """Raise Rejected for a password that is too short, or too long to hash in good time."""
    if len(password) < MIN_PASSWORD:
        sentence = f"Use {MIN_PASSWORD} characters or more; a few words are fine."
    elif len(password) > MAX_PASSWORD:
        sentence = f"{MAX_PASSWORD:,} characters are the most."
    else:
        return
    raise Rejected("bad_password", sentence, fields={field: sentence})


def hash_password(password: str) -> str:
    """argon2id, salted."""
    return _HASHER.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long for nobody's (`stored` None)."""
    try:
        return _HASHER.verify(stored or _NOBODY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """A new API token: 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_link_token() -> str:
    """What stands in a one-use link: 256 random bits, 43 characters."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is kept of a token. It is random, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()
