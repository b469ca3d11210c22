"""What the probe says of films that are awkward but honest."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app.media import rates
from app.media.facts import Probe
from app.media.tools import Tools
from tests.media.building import probed

TONE = ("-f", "lavfi", "-i", "sine=r=48000:d=2")
FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def picture(size: str = "160x96", rate: str = "25", seconds: float = 2) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")


def facts(probe: Probe) -> dict[str, Any]:
    """All facts by one name each; those of the picture in front."""
    flat = probe.to_json()
    video = flat.pop("video") or {}
    return {**flat, **video, "display": probe.video.display if probe.video else None}


CASES: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "23.976": ("a.mp4", (*picture(rate="24000/1001"), *FAST), {"rate": "24000/1001", "frame_count": 48}),
    "29.97 drop": (
        "a.mov",
        (*picture(rate="30000/1001"), *FAST, "-timecode", "00:59:58;00"),
        {"rate": "30000/1001", "start_timecode": "00:59:58;00", "drop_frame": True},
    ),
    "non-drop": (
        "a.mov",
        (*picture(rate="30000/1001"), *FAST, "-timecode", "00:59:58:00"),
        {"start_timecode": "00:59:58:00", "drop_frame": False},
    ),
    "29.97 mkv": ("a.mkv", (*picture(rate="30000/1001"), *FAST), {"rate": "30000/1001", "frame_count": 60}),
    "120": ("a.mp4", (*picture(rate="120"), *FAST), {"rate": "60/1", "frame_count": 120}),
    "100": ("a.mp4", (*picture(rate="100"), *FAST), {"rate": "50/1", "frame_count": 100}),
    "gif": ("a.gif", picture(rate="10"), {"rate": "10/1", "frame_count": 20, "alpha": True, "kind": "video"}),
    "interlaced": (
        "a.mp4",
        (*picture(rate="50"), "-vf", "tinterlace=interleave_top,fieldorder=tff", "-r", "25", *FAST,
         "-flags", "+ildct+ilme", "-x264-params", "tff=1"),
        {"field_order": "tff", "rate": "25/1", "frame_count": 50},
    ),
    "mxf": (
        "a.mxf",
        (*picture("1920x1080", "25", 0.4), *TONE, "-c:v", "dnxhd", "-b:v", "36M", "-pix_fmt", "yuv422p", "-c:a",
         "pcm_s24le", "-timecode", "09:58:00:00", "-shortest"),
        {"container": "mxf", "codec": "dnxhd", "start_timecode": "09:58:00:00", "rate": "25/1"},
    ),
    "anamorphic": (
        "a.mp4", (*picture("144x96"), "-vf", "setsar=4/3", *FAST), {"pixel_shape": "4/3", "display": (192, 96)}
    ),
    "hdr": (
        "a.mov",
        (*picture(), "-vf",
         "format=yuv422p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc",
         "-c:v", "prores_ks", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"),
        {"color_transfer": "smpte2084", "color_primaries": "bt2020", "color_matrix": "bt2020nc", "bit_depth": 10},
    ),
    "alpha": (
        "a.mov", (*picture(), "-vf", "format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"), {"alpha": True}
    ),
    "full range": ("a.mp4", (*picture(), *FAST[:-1], "yuvj420p"), {"color_range": "pc"}),
    "no sound": ("a.mp4", (*picture(), *FAST), {"audio": [], "kind": "video"}),
    "sound alone": ("a.wav", (*TONE, "-c:a", "pcm_s24le"), {"kind": "audio", "frame_count": 50, "duration": 2.0}),
    "one frame": ("a.mp4", (*picture(), "-frames:v", "1", *FAST), {"kind": "still", "frame_count": 1, "rate": "1/1"}),
    "png": ("a.png", (*picture("33x21"), "-frames:v", "1"), {"kind": "still", "width": 32, "height": 20}),
    "jpeg": ("a.jpg", (*picture(), "-frames:v", "1"), {"kind": "still", "container": "jpeg_pipe"}),
    "five frames": ("a.mp4", (*picture(seconds=0.2), *FAST), {"frame_count": 5, "duration": 0.2, "kind": "video"}),
    "late start": ("a.ts", (*picture(), *FAST, "-output_ts_offset", "95443"), {"frame_count": 50, "rate": "25/1"}),
}  # fmt: skip


def make(tools: Tools, folder: Path, name: str, arguments: tuple[str, ...]) -> Path:
    path = folder / name
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.mark.parametrize("name", CASES)
def test_facts(tools: Tools, tmp_path: Path, name: str) -> None:
    file, arguments, expected = CASES[name]
    probe = probed(tools, make(tools, tmp_path, file, arguments))
    told = facts(probe)
    assert {key: told[key] for key in expected} == expected
    assert probe.trusted
    assert Probe.from_json(probe.to_json()) == probe


def test_sound_tracks_are_told_apart(tools: Tools, tmp_path: Path) -> None:
    arguments = [*picture(), *TONE, *TONE, "-map", "0", "-map", "1", "-map", "2", *FAST, "-c:a", "pcm_s16le"]
    probe = probed(tools, make(tools, tmp_path, "a.mov", tuple(arguments)))
    assert [(track.channels, track.sample_rate, track.codec) for track in probe.audio] == [(1, 48000, "pcm_s16le")] * 2
    assert [track.stream for track in probe.audio] == [1, 2]


def test_cover_art_is_never_the_picture(tools: Tools, tmp_path: Path) -> None:
    cover = make(tools, tmp_path, "cover.jpg", (*picture("600x600"), "-frames:v", "1"))
    arguments = (*TONE, "-i", str(cover), "-map", "0", "-map", "1", "-c:v", "copy", "-id3v2_version", "3",
                 "-disposition:v", "attached_pic")  # fmt: skip
    probe = probed(tools, make(tools, tmp_path, "a.mp3", arguments))
    assert (probe.kind, probe.video, probe.container) == ("audio", None, "mp3")
    assert probe.frame_count in (50, 51)


def test_rotation_is_applied_to_what_is_seen(tools: Tools, tmp_path: Path) -> None:
    path = make(tools, tmp_path, "a.mp4", (*picture("320x96"), *FAST))
    data = bytearray(path.read_bytes())
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    data[at : at + 36] = turned
    path.write_bytes(data)
    video = probed(tools, path).video
    assert video
    assert video.rotation in (90, 270)
    assert (video.width, video.display) == (320, (96, 320))


@pytest.fixture
def faststart(tools: Tools, tmp_path: Path) -> Path:
    arguments = (*picture(seconds=6), *FAST, "-g", "25", "-movflags", "+faststart")
    return make(tools, tmp_path, "whole.mp4", arguments)


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def _with_huge_duration(path: Path) -> Path:
    data = bytearray(path.read_bytes())
    for name, offset in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        struct.pack_into(">I", data, data.index(name) + 4 + offset, 0x7FFFFFF0)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("damage", "least", "most"), [(_cut, 60, 120), (_with_huge_duration, 150, 150)])
def test_the_packets_count_and_not_the_header(
    tools: Tools, faststart: Path, damage: Callable[[Path], Path], least: int, most: int
) -> None:
    assert probed(tools, faststart).frame_count == 150
    probe = probed(tools, damage(faststart))
    assert least <= probe.frame_count <= most
    assert probe.duration == pytest.approx(probe.frame_count / 25)


@pytest.mark.parametrize(
    ("average", "declared", "rate"),
    [
        ("24000/1001", "24000/1001", "24000/1001"),
        ("2997/100", "2997/100", "30000/1001"),
        ("299/10", "30/1", "30/1"),
        ("30/1", "1110/37", "30/1"),
        ("1110/89", "30/1", "30/1"),
        ("1247/100", "90000/1", "25/2"),
        ("2901/100", "90000/1", "30000/1001"),
        ("25/1", "25/1", "25/1"),
        ("120/1", "120/1", "60/1"),
        ("240/1", "240/1", "60/1"),
        ("100/1", "100/1", "50/1"),
        ("1000/1", "1000/1", "60/1"),
        ("18/1", "18/1", "18/1"),
        ("1/10", "1/10", "1/1"),
        (None, "24/1", "24/1"),
        (None, None, "25/1"),
        ("0/0", "0/0", "25/1"),
    ],
)
def test_the_grids_rate(average: str | None, declared: str | None, rate: str) -> None:
    assert rates.grid_rate(rates.parse(average), rates.parse(declared)) == Fraction(rate)


def test_field_rates_are_not_frame_rates() -> None:
    assert rates.grid_rate(Fraction(25), Fraction(50), interlaced=True) == 25
    assert rates.grid_rate(Fraction(25), Fraction(50)) == 50
