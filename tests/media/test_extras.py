"""Loudness, what others say of a file, and the arithmetic of storyboard, waveform and proxy."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.media import metadata, sound
from app.media.grid import make_grid
from app.media.joined import Part, joined
from app.media.ladder import Rendition, renditions
from app.media.loudness import Loudness, read_summary
from app.media.plan import make_plan
from app.media.proxy import proxy_rendition
from app.media.storyboard import MOST_TILES, layout, write_vtt
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted
from app.media.waveform import MOST_POINTS, Peaks
from tests.media.building import probed, served
from tests.media.test_hostile import PLAYLISTS
from tests.media.test_probe import FAST, make, picture
from tests.support.canary import Canary

STEREO = "aevalsrc=exprs={level}*sin(2*PI*997*t)|{level}*sin(2*PI*997*t):s=48000:d={seconds}"


def measured(tools: Tools, folder: Path, level: float, seconds: float = 6) -> Loudness | None:
    tone = ("-f", "lavfi", "-i", STEREO.format(level=level, seconds=seconds))
    path = make(tools, folder, "a.wav", (*tone, "-c:a", "pcm_s24le"))
    with served(path) as url, tempfile.TemporaryDirectory() as name:
        return sound.encode_audio(tools, url, make_plan(probed(tools, path)), Path(name)).loudness


def test_a_tone_is_as_loud_as_the_standard_says(tools: Tools, tmp_path: Path) -> None:
    """EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23.0 dBFS is -23.0 ±0.1 LUFS."""
    found = measured(tools, tmp_path, 10 ** (-23 / 20))
    assert found is not None
    assert found.integrated is not None
    assert found.true_peak is not None
    assert abs(found.integrated + 23) <= 0.1
    assert abs(found.true_peak + 23) <= 0.2
    assert found.range == 0.0
    assert Loudness.from_json(found.to_json()) == found


def test_silence_has_no_loudness(tools: Tools, tmp_path: Path) -> None:
    assert measured(tools, tmp_path, 0, seconds=2) == Loudness(None, None, None)


def test_a_summary_is_read_from_the_end_of_the_messages() -> None:
    spoof = "title: Summary:\n I: 99.0 LUFS\n LRA: 1.0 LU\n Peak: 9.0 dBFS\n"
    real = "[x] Summary:\n\n I:  -18.3 LUFS\n Threshold: -28.3 LUFS\n LRA:  4.5 LU\n Peak:  -0.9 dBFS\n[aac] Qavg: 1\n"
    assert read_summary(spoof + real) == Loudness(-18.3, 4.5, -0.9)
    assert read_summary("Conversion failed!") is None
    assert read_summary("Summary: of nothing") is None


@given(st.lists(st.integers(-32768, 32767), max_size=5000), st.integers(1, 977), st.sampled_from([1, 2]))
def test_peaks_do_not_depend_on_how_the_samples_come(samples: list[int], block: int, channels: int) -> None:
    data = struct.pack(f"<{len(samples)}h", *samples)
    peaks = Peaks(rate=1000, channels=channels, duration=Fraction(5))
    for start in range(0, len(data), block):
        peaks.take(data[start : start + block])
    found = peaks.to_json()
    size = peaks.samples_per_pixel * channels
    groups = [samples[start : start + size] for start in range(0, len(samples), size)]
    assert found["data"] == [int(value / 256) for group in groups for value in (min(group), max(group))]
    assert found["length"] == len(groups)


@pytest.mark.parametrize(("hours", "rate"), [(0.1, 50), (0.5, 50), (1.25, 20), (48, 0.5)])
def test_a_waveform_has_a_bounded_size(hours: float, rate: float) -> None:
    peaks = Peaks(rate=48000, channels=2, duration=Fraction(hours) * 3600)
    assert 48000 / peaks.samples_per_pixel == pytest.approx(rate, rel=0.05)
    assert hours * 3600 * 48000 / peaks.samples_per_pixel <= MOST_POINTS


@given(st.integers(1, 10_000_000), st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(60)]))
def test_a_storyboard_covers_the_film_with_few_tiles(frames: int, rate: Fraction) -> None:
    grid = make_grid(rate, frames)
    board = layout(grid, Rendition("v360", 640, 360, 600), frames)
    assert 1 <= board.tiles <= MOST_TILES
    assert (board.tiles - 1) * board.every < frames <= board.tiles * board.every
    assert board.every % grid.gop_frames == 0
    assert len(board.sheets) <= 4
    assert (board.width, board.height) == (160, 90)
    assert write_vtt(board, rate, frames).count("-->") == board.tiles


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ((3840, 2160), "v720"),
        ((1920, 1080), "v720"),
        ((854, 480), "v480"),
        ((320, 180), "v180"),
        ((1080, 1920), "v720"),
    ],
)
def test_the_proxy_is_made_of_720_or_the_best_below(size: tuple[int, int], name: str) -> None:
    chosen = proxy_rendition(renditions(*size))
    assert chosen is not None
    assert chosen.name == name
    assert proxy_rendition(()) is None
    large = (Rendition("v1080", 1920, 1080, 4500),)
    assert proxy_rendition(large) == large[0]


@given(st.lists(st.binary(max_size=50), max_size=8), st.integers(0, 400), st.integers(0, 400))
def test_pieces_read_as_one_file(pieces: list[bytes], start: int, length: int) -> None:
    size, read = joined([Part(len(piece), lambda a, b, piece=piece: iter([piece[a:b]])) for piece in pieces])
    whole = b"".join(pieces)
    assert size == len(whole)
    assert b"".join(read(start, start + length)) == whole[start : start + length]


def described(tools: Tools, path: Path) -> dict[str, Any]:
    plan = make_plan(probed(tools, path))
    with served(path) as url, tempfile.TemporaryDirectory() as name:
        documents = metadata.describe(tools, url, plan, Path(name))
        assert list(Path(name).iterdir()) == []
    assert "127.0.0.1" not in json.dumps(documents)
    return documents


def test_a_film_is_described_by_three(tools: Tools, tmp_path: Path) -> None:
    tone = ("-f", "lavfi", "-i", "sine=d=2:r=48000")
    path = make(tools, tmp_path, "a.mov", (*picture(seconds=2), *tone, *FAST, "-c:a", "pcm_s16le", "-ac", "2"))
    documents = described(tools, path)
    assert set(documents) == {"ffprobe", "mediainfo", "ebucore"}
    assert documents["ffprobe"]["streams"][0]["codec_name"] == "h264"
    assert documents["ebucore"]["ebucore:ebuCoreMain"]["@version"]
    tracks = {track["type"]: track for track in metadata.compact(documents)["tracks"]}
    assert tracks["General"]["Format_Profile"] == "QuickTime"
    assert (tracks["Video"]["Format"], tracks["Audio"]["Channels"]) == ("AVC", "2")


def test_values_that_are_no_text_or_too_long_stay_out_of_the_row() -> None:
    tracks: list[Any] = [{"@type": "General", "Format": "x" * 9999, "Encoded_Date": {"a": 1}}, 5, {"@type": ["Video"]}]
    assert metadata.compact({"mediainfo": {"media": {"track": tracks}}}) == {
        "tracks": [{"type": "General", "Format": "x" * 200}]
    }
    assert metadata.compact({"mediainfo": {"media": []}}) == {"tracks": []}
    assert metadata.compact({}) == {"tracks": []}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_mediainfo_follows_nothing(tmp_path: Path, canary: Canary, name: str) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(PLAYLISTS[name].replace("{url}", canary.url))
    with served(path) as url, tempfile.TemporaryDirectory() as folder:
        documents = metadata._mediainfo(url, Path(folder), None)
    assert "root:" not in json.dumps(documents)


def test_the_process_of_mediainfo_can_open_nothing(tmp_path: Path, folder: Path) -> None:
    """Its own lock, tried from within: neither a file nor a socket, once the connection stands."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"x" * 100)
    text = metadata._CHILD.read_text().removesuffix("main()\n")
    attempts = """
import socket
MediaInfo.can_parse()
remote = Remote(sys.argv[1])
lock_down()
for attempt in (lambda: open("/etc/passwd"), socket.socket):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
print(len(remote.read(1000)))
"""
    with served(path) as url:
        done = run_untrusted([sys.executable, "-I", "-c", text + attempts, url], folder=folder, time_limit=30)
    assert done.stdout.split() == [b"24", b"24", b"100"]  # EMFILE


def test_a_file_that_promises_more_than_it_holds_is_said_to(tools: Tools, tmp_path: Path) -> None:
    whole = make(tools, tmp_path, "a.mp4", (*picture(seconds=6), *FAST, "-bf", "0", "-movflags", "+faststart"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    plan = make_plan(probed(tools, cut))
    found = metadata.findings(plan, described(tools, cut), frames=plan.frame_count - 2, complaints=3)
    assert found[0].startswith("Its header promises 6.00 seconds; ")
    assert found[1:] == ["Its picture ends 2 frames early.", "The decoder met 3 faults in it."]
    good = make_plan(probed(tools, whole))
    assert metadata.findings(good, described(tools, whole), frames=good.frame_count, complaints=0) == []


def test_a_program_that_floods_its_output_is_stopped_by_who_takes_it(folder: Path) -> None:
    def take(block: bytes) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        run_untrusted(["/usr/bin/yes"], folder=folder, time_limit=20, on_block=take)
    blocks: list[int] = []
    done = run_untrusted(
        ["/usr/bin/head", "-c", "40000000", "/dev/zero"], folder=folder, time_limit=20,
        on_block=lambda block: blocks.append(len(block)),
    )  # fmt: skip
    assert (sum(blocks), done.stdout) == (40_000_000, b"")


def test_messages_are_counted(folder: Path) -> None:
    done = run_untrusted(["/bin/sh", "-c", "echo one >&2; echo two >&2"], folder=folder, time_limit=20)
    assert done.complaints == 2
    with pytest.raises(MediaFailed):
        run_untrusted(["/bin/sh", "-c", "exit 3"], folder=folder, time_limit=20)


def test_the_check_of_these_tests_is_real(tmp_path: Path, canary: Canary) -> None:
    """A client that does follow is seen: else the tests above would prove nothing."""
    code = f"import urllib.request; urllib.request.urlopen('{canary.url}/x', timeout=5).read()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
    assert canary.hits == ["/x"]
    canary.hits.clear()
