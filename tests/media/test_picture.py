"""What the picture and the sound look and sound like after encoding."""

from __future__ import annotations

import subprocess
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.media import encode
from app.media.encoders import X264
from app.media.grid import Chunk
from app.media.plan import make_plan
from app.media.tools import Tools
from app.media.untrusted import Cancelled
from tests.media.building import build, probed, served
from tests.media.coded import HEIGHT, WIDTH, decoded
from tests.media.coded import picture as coded_picture
from tests.media.test_probe import FAST, TONE, make, picture

JOINED = ("-map", "0:v", "-map", "[s]")
RED = (200, 60, 40)
PLAIN = ("-f", "lavfi", "-i", "color=c=0xC83C28:s=160x96:r=25:d=1,format=gbrp")
SD_TAGS = ("-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-colorspace", "smpte170m")
HD_TAGS = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")

COLOURS: dict[str, tuple[str, ...]] = {
    "601 tagged": ("-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv444p", "-c:v", "ffv1", *SD_TAGS),
    "601 untagged SD": ("-vf", "scale=out_color_matrix=bt601:out_range=tv,format=yuv444p", "-c:v", "ffv1"),
    "709 tagged": ("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p", "-c:v", "ffv1", *HD_TAGS),
    "709 full range": (
        "-vf", "scale=out_color_matrix=bt709:out_range=full,format=yuv444p", "-c:v", "ffv1", *HD_TAGS,
        "-color_range", "pc",
    ),
    "rgb": ("-c:v", "png", "-pix_fmt", "rgb24"),
    "rgb, 16 bit": ("-c:v", "ffv1", "-pix_fmt", "gbrp16le"),
}  # fmt: skip


def first_picture(tools: Tools, path: Path) -> Any:
    """The first frame as RGB, read as BT.709 limited range, which is what we promise."""
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf"]
    command += ["scale=in_color_matrix=bt709:in_range=tv,format=gbrp,format=rgb24", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    shown = subprocess.run(
        [tools.ffprobe, "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(path)],
        check=True, capture_output=True, timeout=60, text=True,
    ).stdout.split(",")  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(int(shown[1]), int(shown[0]), 3).astype(int)


def tags(tools: Tools, path: Path) -> str:
    entries = "stream=color_range,color_space,color_transfer,color_primaries,pix_fmt,sample_aspect_ratio"
    command = [tools.ffprobe, "-v", "error", "-show_entries", entries, "-of", "csv=p=0", str(path)]
    return subprocess.run(command, check=True, capture_output=True, timeout=60, text=True).stdout.strip()


@pytest.mark.parametrize("name", COLOURS)
def test_colours_arrive_as_bt709(tools: Tools, tmp_path: Path, name: str) -> None:
    made = build(tools, make(tools, tmp_path, "a.mkv", (*PLAIN, *COLOURS[name])), tmp_path)
    path = made.whole("v96")
    assert np.abs(first_picture(tools, path)[48, 80] - RED).max() <= 4
    assert tags(tools, path) == "1:1,yuv420p,tv,bt709,bt709,bt709"


def test_the_poster_has_the_films_colour(tools: Tools, tmp_path: Path, folder: Path) -> None:
    path = make(tools, tmp_path, "a.mkv", (*PLAIN, *COLOURS["709 tagged"]))
    with served(path) as url:
        poster = encode.make_poster(tools, url, make_plan(probed(tools, path)), folder)
        with Image.open(poster) as image:
            assert image.format == "JPEG"
            assert image.size == (160, 96)
            shown = image.convert("RGB").getpixel((80, 48))
    assert isinstance(shown, tuple)
    assert max(abs(one - other) for one, other in zip(shown, RED, strict=True)) <= 5


def test_transparency_lies_on_black(tools: Tools, tmp_path: Path) -> None:
    source = ("-f", "lavfi", "-i", "color=c=white:s=160x96:r=25:d=0.4,format=rgba,colorchannelmixer=aa=0.5")
    for name, codec in (("a.mov", ("-c:v", "png")), ("b.mov", ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"))):
        (tmp_path / name[0]).mkdir()
        made = build(tools, make(tools, tmp_path, name, (*source, *codec)), tmp_path / name[0])
        assert made.plan.probe.video
        assert made.plan.probe.video.alpha
        assert np.abs(first_picture(tools, made.whole("v96"))[48, 80] - 127).max() <= 5


@pytest.mark.parametrize(("transfer", "white"), [("smpte2084", 0.58), ("arib-std-b67", 0.75)])
def test_hdr_is_tone_mapped(tools: Tools, tmp_path: Path, transfer: str, white: float) -> None:
    """Graphics white (BT.2408: 203 cd/m², 58 % PQ, 75 % HLG) becomes a light grey, black stays black."""
    level = round(64 + 876 * white)
    pattern = f"nullsrc=s=160x96:r=25:d=0.2,format=yuv420p10le,geq=lum='if(lt(X,80),64,{level})':cb=512:cr=512"
    marks = f"setparams=range=tv:color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc"
    arguments = ("-f", "lavfi", "-i", f"{pattern},{marks}", "-c:v", "ffv1", "-color_primaries", "bt2020",
                 "-color_trc", transfer, "-colorspace", "bt2020nc", "-color_range", "tv")  # fmt: skip
    made = build(tools, make(tools, tmp_path, "a.mkv", arguments), tmp_path)
    assert made.plan.probe.video
    assert made.plan.probe.video.hdr
    shown = first_picture(tools, made.whole("v96"))
    assert shown[48, 20].max() <= 4
    assert 140 <= shown[48, 140].min() <= shown[48, 140].max() <= 250
    assert np.ptp(shown[48, 140]) <= 4
    assert "bt709,bt709,bt709" in tags(tools, made.whole("v96"))


def test_interlaced_pictures_become_whole_ones(tools: Tools, tmp_path: Path) -> None:
    """Fifty coded pictures a second woven into 25 frames: frame n shows the first field, picture 2n."""
    raw = b"".join(coded_picture(n, Fraction(50)).tobytes() + bytes([128]) * (WIDTH * HEIGHT // 2) for n in range(120))
    path = tmp_path / "a.mp4"
    command = [
        tools.ffmpeg, "-nostdin", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s",
        f"{WIDTH}x{HEIGHT}", "-r", "50", "-i", "-", "-vf", "tinterlace=interleave_top,fieldorder=tff", "-r", "25",
        *FAST, "-flags", "+ildct+ilme", "-x264-params", "tff=1:keyint=25", "-crf", "8", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=raw, check=True, timeout=60)
    made = build(tools, path, tmp_path)
    assert made.plan.probe.video
    assert made.plan.probe.video.field_order == "tff"
    assert decoded(tools, made.whole("v176"), WIDTH, HEIGHT) == [2 * n for n in range(60)]


def test_pixels_become_square_and_upright(tools: Tools, tmp_path: Path) -> None:
    path = make(tools, tmp_path, "a.mp4", (*picture("144x96", seconds=0.4), "-vf", "setsar=4/3", *FAST))
    made = build(tools, path, tmp_path)
    assert [(r.width, r.height) for r in made.plan.renditions] == [(192, 96)]
    assert first_picture(tools, made.whole("v96")).shape == (96, 192, 3)
    assert tags(tools, made.whole("v96")).startswith("1:1,")


@pytest.mark.parametrize(
    ("arguments", "left", "right"),
    [
        (("-ac", "1"), 400, 400),
        (
            ("-filter_complex", "[1:a][2:a]join=inputs=2:channel_layout=stereo[s]", *JOINED),
            400,
            900,
        ),
        (("-map", "0:v", "-map", "1:a", "-map", "2:a"), 400, 900),
        (
            ("-filter_complex", "[1:a][2:a]amerge=inputs=2,pan=16c|c0=c0|c1=c1[s]", *JOINED),
            400,
            900,
        ),
    ],
    ids=["mono", "stereo", "two mono tracks", "sixteen channels"],
)
def test_the_main_sound_is_stereo(
    tools: Tools, tmp_path: Path, arguments: tuple[str, ...], left: int, right: int
) -> None:
    tones = [part for pitch in (400, 900) for part in ("-f", "lavfi", "-i", f"sine=f={pitch}:r=48000:d=2")]
    path = make(tools, tmp_path, "a.mov", (*picture(), *tones, *arguments, *FAST, "-c:a", "pcm_s16le"))
    made = build(tools, path, tmp_path)
    raw = subprocess.run(
        [tools.ffmpeg, "-nostdin", "-v", "error", "-i", str(made.whole("a")), "-f", "s16le", "-"],
        check=True, capture_output=True, timeout=60,
    ).stdout  # fmt: skip
    sound = np.frombuffer(raw, np.int16).reshape(-1, 2)[24000:72000]
    pitches = [int(np.argmax(np.abs(np.fft.rfft(sound[:, channel])))) for channel in (0, 1)]
    assert pitches == [left, right]


def test_sound_is_cut_and_filled_to_the_pictures_length(tools: Tools, tmp_path: Path) -> None:
    for name, seconds in (("short", "0.7"), ("long", "3.4")):
        (tmp_path / name).mkdir()
        tone = ("-f", "lavfi", "-i", f"sine=r=44100:d={seconds}")
        path = make(tools, tmp_path, f"{name}.mov", (*picture(seconds=3), *tone, *FAST, "-c:a", "pcm_s16le"))
        made = build(tools, path, tmp_path / name)
        assert made.audio
        assert 0 <= float(sum(made.audio.durations)) - 3 < 0.065


def test_the_last_picture_stands_while_sound_goes_on(tools: Tools, tmp_path: Path) -> None:
    """Over several chunks: one in which the picture ends, and one that holds nothing but its last frame."""
    tone = ("-f", "lavfi", "-i", "sine=r=48000:d=40")
    path = make(tools, tmp_path, "a.mov", (*picture(seconds=5), *tone, *FAST, "-g", "30", "-c:a", "pcm_s16le"))
    made = build(tools, path, tmp_path)
    assert (made.plan.frame_count, made.plan.picture_frames) == (1000, 125)
    assert [chunk.frames for chunk in made.chunks] == [100, 600, 300]
    assert made.audio
    assert 0 <= float(sum(made.audio.durations)) - 40 < 0.065
    name = made.plan.renditions[-1].name
    assert made.lists[f"{name}.m3u8"].count("#EXTINF") == 10
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-i", str(made.whole(name)), "-vf", "scale=16:9,format=gray"]
    raw = subprocess.check_output([*command, "-f", "rawvideo", "-"], timeout=60)
    shown = np.frombuffer(raw, np.uint8).reshape(-1, 144).astype(int)
    assert len(shown) == 1000
    assert np.abs(shown[125:] - shown[124]).max() <= 6
    assert np.abs(shown[100:124] - shown[124]).max() > 20


def test_sound_that_begins_late_begins_late(tools: Tools, tmp_path: Path) -> None:
    tone = ("-itsoffset", "0.8", "-f", "lavfi", "-i", "sine=r=48000:d=2")
    path = make(tools, tmp_path, "a.mov", (*picture(seconds=3), *tone, *FAST, "-c:a", "pcm_s16le"))
    made = build(tools, path, tmp_path)
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-copyts", "-i", str(made.whole("a"))]
    command += ["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, np.int16).astype(int)) > 1500)
    assert abs(loud[0] / 48000 - 0.8) < 0.005


def test_a_film_without_sound_has_none(tools: Tools, tmp_path: Path) -> None:
    made = build(tools, make(tools, tmp_path, "a.mp4", (*picture(seconds=0.2), *FAST)), tmp_path)
    assert made.audio is None
    assert "AUDIO" not in made.lists["master.m3u8"]
    assert made.plan.frame_count == 5


def test_sound_alone_is_segmented(tools: Tools, tmp_path: Path) -> None:
    made = build(tools, make(tools, tmp_path, "a.wav", TONE), tmp_path)
    assert made.plan.renditions == ()
    assert set(made.lists) == {"master.m3u8", "audio.m3u8"}


def test_a_still_has_a_poster(tools: Tools, tmp_path: Path, folder: Path) -> None:
    path = make(tools, tmp_path, "a.png", (*picture("2000x1000"), "-frames:v", "1"))
    with served(path) as url:
        poster = encode.make_poster(tools, url, make_plan(probed(tools, path)), folder)
    with Image.open(poster) as image:
        assert image.size == (1280, 640)


def test_a_source_that_ends_before_its_plan_is_told(tools: Tools, tmp_path: Path, folder: Path) -> None:
    path = make(tools, tmp_path, "a.mp4", (*picture(seconds=6), *FAST, "-g", "25"))
    plan = make_plan(probed(tools, path))
    with served(path) as url:
        late = encode.encode_chunk(tools, X264, url, plan, Chunk(1, 1, 6, 100, 600), folder)
        assert late.frames == 50
        assert [segment.index for segment in late.renditions[0].segments] == [1]
        (folder / "beyond").mkdir()
        beyond = encode.encode_chunk(tools, X264, url, plan, Chunk(2, 7, 6, 700, 600), folder / "beyond")
        assert (beyond.frames, beyond.renditions, beyond.paths(folder)) == (0, (), [])


def test_progress_is_told_in_frames_and_cancel_takes_less_than_a_second(
    tools: Tools, tmp_path: Path, folder: Path
) -> None:
    arguments = (*picture("1280x720", "50", 12), "-c:v", "libx264", "-preset", "ultrafast")
    path = make(tools, tmp_path, "a.mp4", arguments)
    plan = make_plan(probed(tools, path))
    stop, told, begun = threading.Event(), [], time.monotonic()

    def progress(frames: int) -> None:
        told.append(frames)
        if frames > 0 and not stop.is_set():
            nonlocal begun
            begun = time.monotonic()
            stop.set()

    with served(path) as url, pytest.raises(Cancelled):
        encode.encode_chunk(tools, X264, url, plan, plan.chunks[1], folder, on_progress=progress, cancelled=stop.is_set)
    assert time.monotonic() - begun < 1
    assert told == sorted(told)
