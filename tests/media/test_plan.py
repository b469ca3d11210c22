"""The grid, the ladder and the plan: arithmetic that every worker must agree on."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.media.facts import Probe, Video
from app.media.grid import cut, make_grid
from app.media.ladder import RUNGS, poster_size, renditions
from app.media.plan import Plan, make_plan
from app.media.rates import STANDARD

VIDEO = Video(
    stream=0, codec="h264", profile="High", width=1920, height=1080, pixel_format="yuv420p", bit_depth=8,
    pixel_shape="1/1", rotation=0, field_order="progressive", color_range=None, color_matrix=None,
    color_transfer=None, color_primaries=None, alpha=False, declared_rate="25/1", average_rate="25/1",
    variable_rate=False, start=0.0,
)  # fmt: skip
FILM = Probe(
    kind="video", container="mov", forced_format=None, duration=40.0, rate="25/1", frame_count=1000, trusted=True,
    start_timecode="10:00:00:00", drop_frame=False, video=VIDEO, audio=(), subtitles=0,
)  # fmt: skip


@pytest.mark.parametrize("rate", STANDARD, ids=str)
def test_a_segment_is_the_nearest_whole_number_of_frames_to_four_seconds(rate: Fraction) -> None:
    grid = make_grid(rate, 1000)
    assert grid.segment_frames == round(4 * rate)
    assert grid.segment_frames == 2 * grid.gop_frames


def test_ntsc_segments_last_4_004_seconds() -> None:
    for rate in (Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001)):
        assert make_grid(rate, 1).segment_frames / rate == Fraction(4004, 1000)


@given(st.sampled_from(STANDARD), st.integers(1, 500_000))
def test_chunks_cover_every_frame_once(rate: Fraction, count: int) -> None:
    grid = make_grid(rate, count)
    frame = segment = 0
    for index, chunk in enumerate(cut(grid)):
        assert (chunk.index, chunk.first_frame, chunk.first_segment) == (index, frame, segment)
        assert chunk.frames == sum(grid.frames_of(segment + step) for step in range(chunk.segments))
        assert chunk.segments == 1 if index == 0 else 1 <= chunk.segments <= 6
        frame, segment = frame + chunk.frames, segment + chunk.segments
    assert (frame, segment) == (count, grid.segment_count)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1920, 1080), ["v1080 1920x1080", "v720 1280x720", "v540 960x540", "v360 640x360"]),
        ((3840, 2160), ["v1080 1920x1080", "v720 1280x720", "v540 960x540", "v360 640x360"]),
        ((1080, 1920), ["v1080 1080x1920", "v720 720x1280", "v540 540x960", "v360 360x640"]),
        ((1920, 800), ["v1080 1920x800", "v720 1280x534", "v540 960x400", "v360 640x266"]),
        ((1440, 1080), ["v1080 1440x1080", "v720 960x720", "v540 720x540", "v360 480x360"]),
        ((1728, 972), ["v972 1728x972", "v720 1280x720", "v540 960x540", "v360 640x360"]),
        ((1280, 720), ["v720 1280x720", "v540 960x540", "v360 640x360"]),
        ((1024, 576), ["v540 960x540", "v360 640x360"]),
        ((854, 480), ["v480 854x480", "v360 640x360"]),
        ((640, 360), ["v360 640x360"]),
        ((321, 181), ["v180 320x180"]),
        ((16, 16), ["v16 16x16"]),
        ((4096, 100), ["v1080 1920x46", "v720 1280x32", "v540 960x24", "v360 640x16"]),
    ],
)
def test_the_ladder(size: tuple[int, int], expected: list[str]) -> None:
    assert [f"{r.name} {r.width}x{r.height}" for r in renditions(*size)] == expected


@pytest.mark.parametrize(
    ("size", "first"),
    [
        ((3840, 2160), "v2160 3840x2160"),
        ((4096, 2160), "v2160 3840x2024"),
        ((2160, 3840), "v2160 2160x3840"),
        ((3840, 1600), "v2160 3840x1600"),
        ((2560, 1440), "v1080 1920x1080"),
        ((1920, 1080), "v1080 1920x1080"),
    ],
)
def test_2160_is_made_when_the_project_wants_it_and_the_source_has_it(size: tuple[int, int], first: str) -> None:
    ladder = renditions(*size, wants_2160=True)
    assert f"{ladder[0].name} {ladder[0].width}x{ladder[0].height}" == first
    assert [one.name for one in ladder[-4:]] == ["v1080", "v720", "v540", "v360"]
    assert renditions(*size)[0].name != "v2160"
    wanted = make_plan(dataclasses.replace(FILM, video=dataclasses.replace(VIDEO, width=size[0], height=size[1])),
                       wants_2160=True)  # fmt: skip
    assert wanted.renditions == ladder


@example(359, 783)
@given(st.integers(16, 9000), st.integers(16, 9000))
def test_renditions_are_even_never_enlarged_and_keep_the_shape(width: int, height: int) -> None:
    ladder = renditions(width, height)
    assert ladder
    assert len({rendition.name for rendition in ladder}) == len(ladder)
    assert [r.width * r.height for r in ladder] == sorted((r.width * r.height for r in ladder), reverse=True)
    assert [r.maxrate for r in ladder] == sorted((r.maxrate for r in ladder), reverse=True)
    for one in ladder:
        assert one.width % 2 == one.height % 2 == 0
        assert one.width <= width + 1
        assert one.height <= height + 1
        assert max(one.width, one.height) <= RUNGS[0][0] * 16 / 9
        assert abs(one.width / one.height - width / height) <= 2 * max(1 / one.height, one.width / one.height**2)
    poster = poster_size(width, height)
    assert max(poster) <= 1280
    assert poster[0] % 2 == poster[1] % 2 == 0


def test_a_film_is_planned_whole() -> None:
    plan = make_plan(FILM)
    assert (plan.frame_count, plan.duration, plan.rate) == (1000, 40, "25/1")
    assert [chunk.segments for chunk in plan.chunks] == [1, 6, 3]
    assert plan.renditions[-1].name == "v360"
    assert not plan.has_audio
    assert Plan.from_json(plan.to_json()) == plan


def test_a_still_has_a_poster_alone() -> None:
    still = dataclasses.replace(FILM, kind="still", frame_count=1, rate="1/1", duration=0.0)
    plan = make_plan(still)
    assert (plan.chunks, plan.renditions, plan.has_audio, plan.has_poster) == ((), (), False, True)


def test_sound_counts_frames_at_the_projects_rate() -> None:
    sound = dataclasses.replace(FILM, kind="audio", video=None, duration=10.01, frame_count=250)
    assert make_plan(sound).frame_count == 250
    plan = make_plan(sound, rate_hint=Fraction(24000, 1001))
    assert (plan.rate, plan.frame_count) == ("24000/1001", 240)
    assert not plan.has_poster
    assert make_plan(FILM, rate_hint=Fraction(24)).rate == "25/1"


def test_a_record_from_elsewhere_is_checked() -> None:
    broken = make_plan(FILM).to_json() | {"renditions": "v360"}
    with pytest.raises(ValueError, match="renditions"):
        Plan.from_json(broken)
