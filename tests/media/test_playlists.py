"""Playlists tell the truth, also about films that ended before their plan."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

import pytest

from app.media.plan import Plan, make_plan
from app.media.playlists import growing_list, playable_frames, playable_segments, write_playlists
from app.media.results import AudioResult, ChunkResult, RenditionFacts, Segment, merge
from app.media.untrusted import MediaFailed
from tests.media.test_plan import FILM

SOUND = AudioResult("mp4a.40.2", 2, 48000, (192000,) * 9 + (193024,), (64000,) * 10)


def measured(plan: Plan, frames: int | None = None, skip: int | None = None) -> dict[str, RenditionFacts]:
    """Facts as if every chunk of the plan had been encoded, up to `frames` frames, without segment `skip`."""
    results = []
    left = plan.frame_count if frames is None else frames
    for chunk in plan.chunks:
        segments = []
        for index in range(chunk.first_segment, chunk.first_segment + chunk.segments):
            count = min(left, plan.grid.frames_of(index))
            left -= count
            if count and index != skip:
                segments.append(Segment(index, count, 1000 * count, 76, 5000))
        found = tuple(RenditionFacts(r.name, "avc1.64001F", "ab" * 32, tuple(segments)) for r in plan.renditions)
        results.append(ChunkResult(chunk.index, sum(s.frames for s in segments), found if segments else ()))
    return merge(results)


def extinf(text: str) -> list[Fraction]:
    return [Fraction(value) for value in re.findall(r"#EXTINF:([\d.]+),", text)]


def test_the_master_names_everything_a_player_chooses_by() -> None:
    plan = make_plan(FILM)
    lists = write_playlists(plan, SOUND, measured(plan))
    assert set(lists) == {
        "master.m3u8", "audio.m3u8", *(f"v{n}{kind}.m3u8" for n in (1080, 720, 540, 360) for kind in ("", "-i"))
    }  # fmt: skip
    master = lists["master.m3u8"].splitlines()
    assert master[:3] == ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    streams = [line for line in master if line.startswith("#EXT-X-STREAM-INF")]
    assert len(streams) == 4
    assert 'CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="audio"' in streams[0]
    assert master[master.index(streams[0]) + 1] == "v1080.m3u8"
    peak, average = map(int, re.findall(r"BANDWIDTH=(\d+)", streams[0])[:2])
    assert average <= peak
    assert peak == 1000 * 25 * 8 + 64000 * 8 // 4
    assert sum(line.startswith("#EXT-X-I-FRAME-STREAM-INF") for line in master) == 4


def test_media_lists_are_complete_and_exact() -> None:
    plan = make_plan(dataclasses.replace(FILM, rate="30000/1001", frame_count=1000))
    text = write_playlists(plan, None, measured(plan))["v360.m3u8"]
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text
    assert '#EXT-X-MAP:URI="v360/init.mp4"' in text
    assert "#EXTINF:4.004000,\nv360/00000.m4s" in text
    lengths = extinf(text)
    assert len(lengths) == 9
    assert abs(sum(lengths) - 1000 / plan.exact_rate) < Fraction(1, 100_000)
    assert "TARGETDURATION:4\n" in text


def test_a_source_that_ended_early_ends_early_in_every_list() -> None:
    plan = make_plan(FILM)
    short = measured(plan, frames=430)
    assert playable_frames(plan, short) == 430
    lists = write_playlists(plan, SOUND, short)
    for name in ("v1080.m3u8", "v360.m3u8", "v360-i.m3u8"):
        assert sum(extinf(lists[name])) == Fraction(430, 25)
    assert 430 / 25 <= sum(extinf(lists["audio.m3u8"])) < 430 / 25 + 4.1


def test_what_follows_a_gap_is_left_out() -> None:
    plan = make_plan(FILM)
    gap = measured(plan, skip=3)
    assert playable_segments(plan, gap) == 3
    assert sum(extinf(write_playlists(plan, None, gap)["v720.m3u8"])) == 12


def test_sound_alone_has_a_master_too() -> None:
    plan = make_plan(dataclasses.replace(FILM, kind="audio", video=None))
    lists = write_playlists(plan, SOUND, {})
    assert set(lists) == {"master.m3u8", "audio.m3u8"}
    assert 'CODECS="mp4a.40.2"\naudio.m3u8' in lists["master.m3u8"]


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(MediaFailed) as caught:
        write_playlists(make_plan(FILM), None, {})
    assert caught.value.code == "nothing_decoded"


def test_no_duration_exceeds_the_target() -> None:
    plan = make_plan(FILM)
    odd = AudioResult("mp4a.40.2", 2, 48000, (192512, 191488, 236544), (1, 1, 1))
    text = write_playlists(plan, odd, measured(plan))["audio.m3u8"]
    assert "TARGETDURATION:5\n" in text
    assert [length for length in extinf(text) if length + Fraction(1, 2) >= 6] == []


def test_a_growing_list_only_ever_gains_segments() -> None:
    plan = make_plan(FILM)
    done = measured(plan)["v360"]
    before: list[str] = []
    for count in range(1, len(done.segments) + 1):
        lines = growing_list(plan, dataclasses.replace(done, segments=done.segments[:count])).splitlines()
        assert "#EXT-X-PLAYLIST-TYPE:EVENT" in lines
        assert ("#EXT-X-ENDLIST" in lines) == (count == len(done.segments))
        assert lines[: len(before)] == before
        before = [line for line in lines if line != "#EXT-X-ENDLIST"]


def test_chunks_of_two_encoders_do_not_mix() -> None:
    segment = Segment(0, 100, 1000, 76, 500)
    one = ChunkResult(0, 100, (RenditionFacts("v360", "avc1.64001E", "aa", (segment,)),))
    other = ChunkResult(
        1, 100, (RenditionFacts("v360", "avc1.64001E", "bb", (dataclasses.replace(segment, index=1),)),)
    )
    with pytest.raises(MediaFailed) as caught:
        merge([one, other])
    assert caught.value.code == "init_differs"
