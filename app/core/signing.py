"""The edge token: mint and verify (design 5).

An edge URL is `/v/{exp}.{scope}.{kid}.{sig}/{kind}/{media}/{build}/{name…}` with

    sig = base64url-without-padding(HMAC-SHA256(key[kid], "v1\\nkid\\nexp\\nscope\\nmedia"))

(RFC 2104, RFC 4648 section 5). The token opens every file of one media id whose kind its scope's letter
allows; it sits in the path so that relative URIs of playlists inherit it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.core.errors import Denied
from app.core.ids import random_name
from app.core.keys import KINDS

VIEW = frozenset({"hls", "thumbs", "waveforms", "captions", "stills"})

#: The first letter of a scope says which kinds it opens.
SCOPE_KINDS: Mapping[str, frozenset[str]] = {
    "m": frozenset(KINDS),  # a member of the project
    "v": VIEW,  # a guest who may watch
    "d": VIEW | {"mp4"},  # a guest who may also download the proxy; files hold all that is known of the master
}

#: No token lives longer than this, whoever signed it (design 5: six hours where a player cannot renew).
MAX_LIFE = 6 * 3600
#: Tokens end on these boundaries, so that viewers share them and with them their caches.
ROUND_TO = 300
#: How far the clocks of the web and an edge may differ.
SKEW = 120

PATH = re.compile(
    r"/v/(?P<token>(?P<exp>[0-9]{10})\.(?P<scope>[a-z][a-z0-9]{13})\.(?P<kid>[a-z0-9]{1,8})"
    r"\.(?P<sig>[A-Za-z0-9_-]{43}))"
    r"/(?P<kind>hls|mp4|thumbs|waveforms|captions|stills|files)/(?P<media>[0-9a-f]{64})"
    r"/(?P<rest>[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*){1,4})",
    re.ASCII,
)


class BadToken(Denied):
    """The path is not a token of ours, or its signature, life or scope is wrong."""


class ExpiredToken(BadToken):
    """The signature is right, the time is over."""


@dataclass(frozen=True)
class Grant:
    """A verified edge path."""

    token: str
    exp: int
    scope: str
    kid: str
    kind: str
    media: str
    rest: str

    @property
    def key(self) -> str:
        """The key of the object in the previews bucket."""
        return f"{self.kind}/{self.media}/{self.rest}"


class KeyRing:
    """The signing keys, newest first: the first signs, all verify."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        self._keys = dict(keys)

    @property
    def newest(self) -> str:
        """The id of the key that signs."""
        return next(iter(self._keys))

    def mac(self, kid: str, exp: int, scope: str, media: str) -> str | None:
        """The signature, or None for an unknown key id."""
        key = self._keys.get(kid)
        if key is None:
            return None
        text = f"v1\n{kid}\n{exp}\n{scope}\n{media}".encode("ascii")
        digest = hmac.new(key, text, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def new_scope(letter: str) -> str:
    """A fresh scope handle: its letter and 13 random characters (67 bits)."""
    if letter not in SCOPE_KINDS:
        raise ValueError(f"no scope begins with {letter!r}")
    return letter + random_name(13)


def expiry(now: float, life: int) -> int:
    """When a token minted now ends: `life` seconds from now, up to the next boundary, never over MAX_LIFE.

    Unix seconds. The wait is between `life` and `life` + ROUND_TO.
    """
    wanted = int(now) + life
    rounded = -(-wanted // ROUND_TO) * ROUND_TO
    return min(rounded, int(now) + MAX_LIFE)


def mint(ring: KeyRing, *, scope: str, media: str, exp: int) -> str:
    """A token for one media id. `exp` in Unix seconds, see `expiry`."""
    kid = ring.newest
    return f"{exp}.{scope}.{kid}.{ring.mac(kid, exp, scope, media)}"


def verify(ring: KeyRing, path: str, *, now: float) -> Grant:
    """Check an edge path and say what it opens.

    Raises BadToken (grammar, key, signature, too long a life, kind outside the scope) or ExpiredToken.
    The signature is compared in constant time and before anything else that the token claims.
    """
    found = PATH.fullmatch(path)
    if found is None:
        raise BadToken("bad_path", "This is not an address of the edge.")
    exp = int(found["exp"])
    expected = ring.mac(found["kid"], exp, found["scope"], found["media"])
    if expected is None or not hmac.compare_digest(expected, found["sig"]):
        raise BadToken("bad_signature", "This address was not signed by us.")
    if exp <= now:
        raise ExpiredToken("expired", "This address has expired. Reload the page.")
    if exp > now + MAX_LIFE + SKEW:
        raise BadToken("too_long", "This address claims a longer life than any may have.")
    if found["kind"] not in SCOPE_KINDS.get(found["scope"][0], frozenset()):
        raise BadToken("out_of_scope", "This address opens other files than the one asked for.")
    return Grant(
        token=found["token"],
        exp=exp,
        scope=found["scope"],
        kid=found["kid"],
        kind=found["kind"],
        media=found["media"],
        rest=found["rest"],
    )
