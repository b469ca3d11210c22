"""The edge token: what is signed opens, anything else does not."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core import signing
from app.core.signing import BadToken, ExpiredToken, KeyRing, mint, verify

NOW = 1_800_000_000
MEDIA = "ab" * 32
OLD, NEW = b"o" * 32, b"n" * 32


def path(
    ring: KeyRing, *, scope: str = "mabcdefghijklm", exp: int = NOW + 600, kind: str = "hls", media: str = MEDIA
) -> str:
    return f"/v/{mint(ring, scope=scope, media=media, exp=exp)}/{kind}/{media}/build1/master.m3u8"


def test_a_signed_path_opens_its_object() -> None:
    grant = verify(KeyRing({"k1": NEW}), path(KeyRing({"k1": NEW})), now=NOW)
    assert grant.key == f"hls/{MEDIA}/build1/master.m3u8"
    assert (grant.scope, grant.exp, grant.kid) == ("mabcdefghijklm", NOW + 600, "k1")


def test_known_vector() -> None:
    """Computed with openssl dgst -sha256 -hmac over "v1\\nk1\\n1800000600\\nmabcdefghijklm\\n" and the media id."""
    token = mint(KeyRing({"k1": NEW}), scope="mabcdefghijklm", media=MEDIA, exp=NOW + 600)
    assert token == "1800000600.mabcdefghijklm.k1.aXl_7nmjzNmE1_-75bSIfHweethxULIRP02CFdoyAEI"


def test_rotation_signs_with_the_newest_and_verifies_all() -> None:
    both = KeyRing({"k2": NEW, "k1": OLD})
    assert ".k2." in path(both)
    assert verify(both, path(KeyRing({"k1": OLD})), now=NOW).kid == "k1"
    with pytest.raises(BadToken):
        verify(KeyRing({"k2": NEW}), path(KeyRing({"k1": OLD})), now=NOW)


def test_expired_and_too_long() -> None:
    ring = KeyRing({"k1": NEW})
    with pytest.raises(ExpiredToken):
        verify(ring, path(ring, exp=NOW), now=NOW)
    with pytest.raises(BadToken, match="longer life"):
        verify(ring, path(ring, exp=NOW + signing.MAX_LIFE + signing.SKEW + 1), now=NOW)


@pytest.mark.parametrize(
    ("letter", "kind", "opens"),
    [
        ("v", "hls", True),
        ("v", "mp4", False),
        ("v", "files", False),
        ("d", "files", False),
        ("d", "mp4", True),
        ("m", "files", True),
        ("z", "hls", False),
    ],
)
def test_the_scope_says_which_kinds_open(letter: str, kind: str, opens: bool) -> None:
    ring = KeyRing({"k1": NEW})
    address = path(ring, scope=letter + "a" * 13, kind=kind)
    if opens:
        assert verify(ring, address, now=NOW).kind == kind
    else:
        with pytest.raises(BadToken):
            verify(ring, address, now=NOW)


@given(st.integers(0, 200), st.sampled_from(string.ascii_letters + string.digits + "._-/"))
def test_no_changed_character_opens_another_object(at: int, character: str) -> None:
    """Any one character of the token or the media id changed: refused, or (in the file name) the same media."""
    ring = KeyRing({"k1": NEW})
    good = path(ring)
    at %= len(good)
    bad = good[:at] + character + good[at + 1 :]
    if bad == good:
        return
    try:
        grant = verify(ring, bad, now=NOW)
    except BadToken:
        return
    assert (grant.media, grant.scope, grant.exp) == (MEDIA, "mabcdefghijklm", NOW + 600)


@pytest.mark.parametrize("tail", ["/../x", "/%2e%2e/x", "//x", "/.x", "/x\n", "/x?y", "/a/b/c/d/e"])
def test_odd_file_names_are_outside_the_grammar(tail: str) -> None:
    ring = KeyRing({"k1": NEW})
    with pytest.raises(BadToken):
        verify(ring, path(ring).removesuffix("/master.m3u8") + tail, now=NOW)


@given(st.integers(1_500_000_000, 2_500_000_000), st.integers(60, signing.MAX_LIFE))
def test_expiry_is_shared_and_bounded(now: int, life: int) -> None:
    exp = signing.expiry(now, life)
    assert now < exp <= now + signing.MAX_LIFE
    assert exp >= min(now + life, now + signing.MAX_LIFE)
    assert exp % signing.ROUND_TO == 0 or exp == now + signing.MAX_LIFE
