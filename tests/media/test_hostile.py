"""Files that pretend: refused with a clear code, and nothing inside the machine is reached through them."""

from __future__ import annotations

import struct
import tempfile
import zlib
from pathlib import Path

import pytest

from app.media import encode, results
from app.media.encoders import X264
from app.media.plan import make_plan
from app.media.probe import Unplayable
from app.media.tools import Tools
from app.media.untrusted import MediaFailed
from tests.media.building import probed, served
from tests.media.test_probe import FAST, make, picture
from tests.support.canary import Canary

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}/segment.ts\n#EXT-X-ENDLIST\n",
    "hls master": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{url}/inner.m3u8\n",
    "hls local": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "hls concat": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nconcat:{url}/x|file:///etc/passwd\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '/etc/passwd'\nfile '{url}/x.mp4'\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT10S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="1" bandwidth="1"><BaseURL>{url}/x.mp4</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 18098 RTP/AVP 96\n",
    "svg": (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64">'
        '<image xlink:href="{url}/x.png" width="64" height="64"/></svg>'
    ),
    "text": "this is not a film\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_that_pose_as_films_are_refused(tools: Tools, tmp_path: Path, canary: Canary, name: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(PLAYLISTS[name].replace("{url}", canary.url))
    with pytest.raises(Unplayable) as caught:
        probed(tools, path)
    assert caught.value.code == "not_media"
    assert caught.value.sentence.startswith("Archived; no preview because ")


@pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 100_000, b"\0\0\0\x08ftyp" * 1000, bytes(range(256)) * 400])
def test_junk_is_refused(tools: Tools, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(Unplayable):
        probed(tools, path)


def test_a_film_without_its_index_is_refused(tools: Tools, tmp_path: Path) -> None:
    path = make(tools, tmp_path, "a.mp4", (*picture(), *FAST))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(Unplayable) as caught:
        probed(tools, path)
    assert caught.value.code == "not_media"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_picture_that_would_fill_the_memory_is_refused(tools: Tools, tmp_path: Path) -> None:
    side = 30_000
    row = b"\0" * (1 + (side + 7) // 8)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b""))
    with pytest.raises(Unplayable) as caught:
        probed(tools, path)
    assert caught.value.code in ("too_large", "no_decoder")


def test_a_picture_of_a_few_pixels_is_refused(tools: Tools, tmp_path: Path) -> None:
    path = make(tools, tmp_path, "a.mkv", (*picture(), "-vf", "crop=8:8", "-c:v", "ffv1"))
    with pytest.raises(Unplayable) as caught:
        probed(tools, path)
    assert caught.value.code == "too_small"
    assert "8 × 8" in caught.value.because


def test_a_plan_that_was_made_for_another_file_ends_in_an_error(tools: Tools, tmp_path: Path, folder: Path) -> None:
    plan = make_plan(probed(tools, make(tools, tmp_path, "a.mp4", (*picture(), *FAST))))
    junk = tmp_path / "junk.mp4"
    junk.write_bytes(b"no film here" * 1000)
    with served(junk) as url, pytest.raises(MediaFailed) as caught:
        encode.encode_chunk(tools, X264, url, plan, plan.chunks[0], folder)
    assert caught.value.code == "media_failed"
    assert urlless(caught.value.tail, url)


def urlless(text: str, url: str) -> bool:
    return url not in text and url.rsplit("/", 1)[1] not in text


def test_a_link_in_place_of_a_result_is_not_followed(tools: Tools, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        link = Path(name) / "00000.m4s"
        link.symlink_to("/etc/passwd")
        assert results.read_plain(link) is None
        assert results.numbered(Path(name), 0) == []
