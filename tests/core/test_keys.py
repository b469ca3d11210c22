"""Object keys are what design 5 says, and nothing else can be put together."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.core import keys
from app.core.signing import PATH

ORGANIZATION = UUID("01a1fc16-92b6-7566-bb41-b4aa0313c55a")
MEDIA = "0f" * 32


def test_keys() -> None:
    sha = "8c" + "d" * 62
    assert keys.staging(ORGANIZATION) == "01a1fc1692b67566bb41b4aa0313c55a"
    assert keys.master(ORGANIZATION, sha) == f"{ORGANIZATION}/sha256/8c/{sha}"
    assert keys.preview("hls", MEDIA, "b1", "v360", "00001.m4s") == f"hls/{MEDIA}/b1/v360/00001.m4s"
    assert keys.manifest(ORGANIZATION, sha, ORGANIZATION) == f"manifests/{ORGANIZATION}/{sha}/{ORGANIZATION}.json"
    moment = datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)
    assert keys.backup(moment, "0002") == "postgres/2026/11/20261121T030405Z-0002.dump"


def test_a_media_id_is_keyed_and_stable() -> None:
    one = keys.media_id(b"secret", ORGANIZATION)
    assert one == keys.media_id(b"secret", ORGANIZATION)
    assert one != keys.media_id(b"other", ORGANIZATION)
    assert len(one) == 64
    assert set(one) <= set("0123456789abcdef")


@pytest.mark.parametrize("digest", ["", "x" * 64, "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_master_needs_a_digest(digest: str) -> None:
    with pytest.raises(ValueError):
        keys.master(ORGANIZATION, digest)


@pytest.mark.parametrize("names", [(), ("..",), ("a/b",), (".hidden",), ("a", "b", "c", "d", "e"), ("x\n",)])
def test_preview_names_stay_in_the_grammar(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        keys.preview("hls", MEDIA, "b1", *names)


@pytest.mark.parametrize("names", [("master.m3u8",), ("v360", "00001.m4s"), ("a", "b", "c", "d")])
def test_every_preview_key_is_an_address_of_the_edge(names: tuple[str, ...]) -> None:
    key = keys.preview("hls", MEDIA, "b1", *names)
    assert PATH.fullmatch(f"/v/1800000600.mabcdefghijklm.k1.{'A' * 43}/{key}")
