"""Nothing in a preview is off by one: every frame, every boundary, every click, in films of several kinds."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from pathlib import Path

import pytest

from app.media import fmp4
from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.tools import Tools
from tests.media.building import Build, build
from tests.media.coded import Film, clicks, decoded

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
