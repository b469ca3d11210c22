"""Nothing in a preview is off by one: every frame, every boundary, every click, in films of several kinds."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.media import fmp4, proxy, storyboard
from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.tools import Tools
from tests.media.building import Build, build, served
from tests.media.coded import Film, clicks, decoded, read

TWO = (Rendition("v176", 320, 176, 700), Rendition("v88", 160, 88, 300))


def _two_renditions(plan: Plan) -> Plan:
    return dataclasses.replace(plan, renditions=TWO)


@pytest.fixture(scope="module")
def built(film: Film, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> tuple[Film, Build]:
    return film, build(tools, film.path, tmp_path_factory.mktemp("build"), change=_two_renditions)


@pytest.mark.parametrize("rendition", TWO, ids=lambda rendition: rendition.name)
def test_every_frame_is_the_right_one(built: tuple[Film, Build], tools: Tools, rendition: Rendition) -> None:
    film, made = built
    assert made.plan.exact_rate == film.rate
    assert made.plan.probe.trusted
    assert made.plan.frame_count == len(film.expected)
    shown = decoded(tools, made.whole(rendition.name), rendition.width, rendition.height)
    wrong = [(n, got, want) for n, (got, want) in enumerate(zip(shown, film.expected, strict=True)) if got != want]
    assert wrong == []


def test_segments_have_the_same_boundaries_in_every_rendition(built: tuple[Film, Build]) -> None:
    _, made = built
    one, other = (
        [(segment.index, segment.frames) for segment in made.measured[rendition.name].segments] for rendition in TWO
    )
    assert one == other
    assert [frames for _, frames in one] == [made.plan.grid.frames_of(index) for index in range(len(one))]
    assert sum(frames for _, frames in one) == made.plan.frame_count
    assert len(made.chunks) == 3


def test_every_segment_lies_at_its_time_and_begins_with_a_key_frame(built: tuple[Film, Build]) -> None:
    film, made = built
    for rendition in TWO:
        init = (made.folder / rendition.name / "init.mp4").read_bytes()
        ticks = fmp4.timescale(init)
        for segment in made.measured[rendition.name].segments:
            parts = fmp4.fragments((made.folder / rendition.name / segment.name).read_bytes(), init)
            begins = Fraction(parts[0].decode_time + parts[0].first_offset, ticks)
            assert begins == segment.index * made.plan.grid.segment_frames / film.rate
            assert parts[0].starts_with_key
            assert fmp4.duration(parts, ticks) == segment.frames / film.rate


def test_all_chunks_share_one_init_segment(built: tuple[Film, Build]) -> None:
    _, made = built
    for name in ("v176", "v88"):
        digests = {facts.init_sha256 for chunk in made.chunks for facts in chunk.renditions if facts.name == name}
        assert len(digests) == 1


def test_durations_in_the_lists_add_up_to_the_film(built: tuple[Film, Build]) -> None:
    film, made = built
    for name in ("v176.m3u8", "v88.m3u8", "v176-i.m3u8"):
        text = made.lists[name]
        lengths = [Fraction(value) for value in re.findall(r"#EXTINF:([\d.]+),", text)]
        assert abs(sum(lengths) - len(film.expected) / film.rate) < Fraction(len(lengths), 2_000_000)
        target = int(re.findall(r"TARGETDURATION:(\d+)", text)[0])
        assert all(int(length + Fraction(1, 2)) <= target for length in lengths)


def test_the_iframe_ranges_hold_each_segments_first_frame(
    built: tuple[Film, Build], tools: Tools, tmp_path: Path
) -> None:
    film, made = built
    text = made.lists["v176-i.m3u8"]
    ranges = re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)", text)
    assert len(ranges) == made.plan.grid.segment_count
    init = (made.folder / "v176" / "init.mp4").read_bytes()
    for index, (length, start, name) in enumerate(ranges):
        data = (made.folder / name).read_bytes()[int(start) : int(start) + int(length)]
        one = tmp_path / f"{index}.mp4"
        one.write_bytes(init + data)
        assert decoded(tools, one, 320, 176)[0] == film.expected[index * made.plan.grid.segment_frames]


def test_clicks_and_flashes_agree(built: tuple[Film, Build], tools: Tools) -> None:
    film, made = built
    heard = clicks(tools, made.whole("a"))
    expected = [float(frame / film.rate) for frame in film.flashes]
    assert len(heard) == len(expected)
    assert max(abs(one - other) for one, other in zip(heard, expected, strict=True)) < 0.001


def test_the_sound_is_as_long_as_the_picture_and_has_no_short_tail(built: tuple[Film, Build]) -> None:
    _, made = built
    assert made.audio
    assert made.audio.durations[-1] >= 1
    assert 0 <= sum(made.audio.durations) - made.plan.duration < Fraction(3 * 1024, 48000)
    init = (made.folder / "a" / "init.mp4").read_bytes()
    first = fmp4.fragments((made.folder / "a" / "00000.m4s").read_bytes(), init)[0]
    assert first.decode_time == 0


@pytest.fixture(scope="module")
def proxied(built: tuple[Film, Build], tools: Tools) -> tuple[Film, Path]:
    film, made = built
    with served(made.whole("v176")) as video, served(made.whole("a")) as audio, tempfile.TemporaryDirectory() as name:
        path = proxy.make_proxy(tools, video, audio, made.plan, Path(name))
        return film, path.rename(made.folder / path.name)


def test_frame_n_of_the_proxy_is_frame_n(proxied: tuple[Film, Path], tools: Tools) -> None:
    film, path = proxied
    assert decoded(tools, path, 320, 176) == film.expected
    command = [tools.ffprobe, "-v", "error", "-of", "json", "-show_entries", "frame=pts_time:stream=codec_type"]
    shown = json.loads(subprocess.check_output([*command, "-select_streams", "v", str(path)], timeout=60))
    times = [float(frame["pts_time"]) for frame in shown["frames"]]
    assert max(abs(time - float(n / film.rate)) for n, time in enumerate(times)) < 1e-5


def test_the_proxys_index_comes_first_and_its_sound_is_in_step(proxied: tuple[Film, Path], tools: Tools) -> None:
    film, path = proxied
    kinds = [kind for kind, *_ in fmp4.boxes(path.read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    heard = clicks(tools, path)
    expected = [float(frame / film.rate) for frame in film.flashes]
    assert len(heard) == len(expected)
    assert max(abs(one - other) for one, other in zip(heard, expected, strict=True)) < 0.001


def test_each_tile_of_the_storyboard_shows_its_frame(built: tuple[Film, Build], tools: Tools, folder: Path) -> None:
    film, made = built
    with served(made.whole("v88")) as url:
        board = storyboard.make_storyboard(tools, url, made.plan, TWO[1], len(film.expected), folder)
    assert (board.width, board.height, board.every) == (160, 88, made.plan.grid.gop_frames)
    assert board.tiles == -(-len(film.expected) // board.every)
    with Image.open(folder / "sprite-000.jpg") as image:
        assert image.size == (160 * 10, 88 * 2)
        sheet = np.asarray(image.convert("L"))
    for tile in range(board.tiles):
        row, column = divmod(tile, 10)
        picture = sheet[row * 88 : (row + 1) * 88, column * 160 : (column + 1) * 160]
        assert read(picture) == film.expected[tile * board.every]
    cues = re.findall(r"(\S+) --> (\S+)\n(\S+)", (folder / "storyboard.vtt").read_text())
    assert len(cues) == board.tiles
    assert cues[11][2] == "sprite-000.jpg#xywh=160,88,160,88"
    assert cues[0][0] == "00:00:00.000"
    assert all(one[1] == other[0] for one, other in itertools.pairwise(cues))


def test_the_waveform_has_its_peaks_at_the_clicks(built: tuple[Film, Build]) -> None:
    film, made = built
    wave = json.loads((made.folder / "waveform.json").read_text())
    assert (wave["version"], wave["channels"], wave["bits"], wave["samples_per_pixel"]) == (2, 1, 8, 960)
    assert wave["length"] * 2 == len(wave["data"])
    assert abs(wave["length"] / 50 - float(made.plan.duration)) < 0.05
    loud = [point for point in range(wave["length"]) if wave["data"][2 * point + 1] > 60]
    for frame in film.flashes:
        assert min(abs(point - int(frame / film.rate * 50)) for point in loud) <= 1
    assert len(loud) <= 3 * len(film.flashes)
