"""HLS playlists (RFC 8216), written from facts.

Durations come from the exact fraction, with six digits: players add them up to find a frame. Sound is a group
of its own (4.3.4.1). Every segment begins with a key frame (4.3.5.1), every rendition has an I-frame playlist
(4.3.4.3). Version 7: EXT-X-MAP in a playlist that is not I-frames only (section 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.results import AudioResult, RenditionFacts, Segment
from app.media.untrusted import MediaFailed

HEAD = ["#EXTM3U", "#EXT-X-VERSION:7"]
AUDIO_GROUP = "audio"
MASTER = "master.m3u8"
AUDIO = "audio.m3u8"


def write_playlists(plan: Plan, audio: AudioResult | None, measured: Mapping[str, RenditionFacts]) -> dict[str, str]:
    """All playlists of a finished build by file name: the master, the sound's, two for each rendition.

    They tell what is there: a source that ended before the plan did ends early in every list.
    Raises MediaFailed (nothing_decoded) where neither picture nor sound came out.
    """
    lists = {}
    shown = [rendition for rendition in plan.renditions if rendition.name in measured]
    count = playable_segments(plan, measured)
    if not count:
        shown = []
    for rendition in shown:
        segments = measured[rendition.name].segments[:count]
        lists[f"{rendition.name}.m3u8"] = _media_list(plan, rendition.name, segments, ended=True)
        lists[f"{rendition.name}-i.m3u8"] = _iframe_list(plan, rendition.name, segments)
    sound = audible(plan, audio, measured, count)
    if sound:
        lists[AUDIO] = _audio_list(sound)
    if not shown and not sound:
        raise MediaFailed("nothing_decoded", "Neither picture nor sound could be decoded.")
    lists[MASTER] = _master(plan, shown, sound, measured, count)
    return lists


def growing_list(plan: Plan, facts: RenditionFacts) -> str:
    """The media playlist of a rendition still being encoded (EVENT, 4.3.3.5): what follows without a gap.

    Later ones add segments at its end and change nothing else; it ends (EXT-X-ENDLIST) with the plan's last frame.
    """
    count = playable_segments(plan, {facts.name: facts})
    segments = facts.segments[:count]
    ended = sum(segment.frames for segment in segments) >= plan.frame_count
    return _media_list(plan, facts.name, segments, ended=ended, kind="EVENT")


def playable_segments(plan: Plan, measured: Mapping[str, RenditionFacts]) -> int:
    """Segments from the start on that every rendition has: up to the first gap, or to one that ends early."""
    return min((_contiguous(plan, facts.segments) for facts in measured.values()), default=0)


def playable_frames(plan: Plan, measured: Mapping[str, RenditionFacts]) -> int:
    """Frames that can be played: the true length, once every chunk is there."""
    count = playable_segments(plan, measured)
    return min((sum(s.frames for s in facts.segments[:count]) for facts in measured.values()), default=0)


def _contiguous(plan: Plan, segments: Sequence[Segment]) -> int:
    for number, segment in enumerate(segments):
        if segment.index != number:
            return number
        if segment.frames < plan.grid.segment_frames:
            return number + 1
    return len(segments)


def _master(
    plan: Plan,
    shown: Sequence[Rendition],
    audio: AudioResult | None,
    measured: Mapping[str, RenditionFacts],
    count: int,
) -> str:
    """The multivariant playlist (4.3.4). BANDWIDTH is the peak of picture and sound together (4.3.4.2)."""
    lines = [*HEAD, "#EXT-X-INDEPENDENT-SEGMENTS"]
    peak, average = _audio_rates(audio)
    codecs = f",{audio.codec}" if audio else ""
    group = f',AUDIO="{AUDIO_GROUP}"' if audio else ""
    if audio and shown:
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{AUDIO_GROUP}",NAME="Main",DEFAULT=YES,AUTOSELECT=YES,'
            f'CHANNELS="{audio.channels}",URI="{AUDIO}"'
        )
    elif audio:
        lines += [
            f'#EXT-X-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS="{audio.codec}"',
            AUDIO,
        ]
    for rendition in shown:
        facts = measured[rendition.name]
        top, mean = _rates(plan, facts.segments[:count])
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={top + peak},AVERAGE-BANDWIDTH={mean + average},"
            f'CODECS="{facts.codecs}{codecs}",RESOLUTION={rendition.width}x{rendition.height},'
            f"FRAME-RATE={float(plan.exact_rate):.3f}{group}"
        )
        lines.append(f"{rendition.name}.m3u8")
    lines += [_iframe_line(plan, rendition, measured[rendition.name], count) for rendition in shown]
    return "\n".join(lines) + "\n"


def _iframe_line(plan: Plan, rendition: Rendition, facts: RenditionFacts, count: int) -> str:
    keys = [(segment.iframe_bytes, _seconds(plan, segment)) for segment in facts.segments[:count]]
    peak, average = _peak(keys, _target([seconds for _, seconds in keys])), _average(keys)
    return (
        f"#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},"
        f'CODECS="{facts.codecs}",RESOLUTION={rendition.width}x{rendition.height},URI="{rendition.name}-i.m3u8"'
    )


def _media_list(plan: Plan, name: str, segments: Sequence[Segment], *, ended: bool, kind: str = "VOD") -> str:
    # A growing list must not change its target duration (6.2.1); no segment is longer than the grid's.
    longest = Fraction(plan.grid.segment_frames) / plan.exact_rate
    durations = [_seconds(plan, segment) for segment in segments]
    lines = [
        *HEAD,
        f"#EXT-X-TARGETDURATION:{_target([longest] if kind == 'EVENT' else durations)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{kind}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f'#EXT-X-MAP:URI="{name}/init.mp4"',
    ]
    for segment, seconds in zip(segments, durations, strict=True):
        lines += [f"#EXTINF:{_six(seconds)},", f"{name}/{segment.name}"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else [])]) + "\n"


def _iframe_list(plan: Plan, name: str, segments: Sequence[Segment]) -> str:
    """The key frames alone (4.3.3.6): of each segment the bytes from its moof to the end of its first frame."""
    durations = [_seconds(plan, segment) for segment in segments]
    lines = [
        *HEAD,
        f"#EXT-X-TARGETDURATION:{_target(durations)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-I-FRAMES-ONLY",
        f'#EXT-X-MAP:URI="{name}/init.mp4"',
    ]
    for segment, seconds in zip(segments, durations, strict=True):
        byte_range = f"#EXT-X-BYTERANGE:{segment.iframe_bytes}@{segment.iframe_start}"
        lines += [f"#EXTINF:{_six(seconds)},", byte_range, f"{name}/{segment.name}"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def _audio_list(audio: AudioResult) -> str:
    lines = [
        *HEAD,
        f"#EXT-X-TARGETDURATION:{_target(audio.durations)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="a/init.mp4"',
    ]
    for index, seconds in enumerate(audio.durations):
        lines += [f"#EXTINF:{_six(seconds)},", f"a/{index:05d}.m4s"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def audible(
    plan: Plan, audio: AudioResult | None, measured: Mapping[str, RenditionFacts], count: int
) -> AudioResult | None:
    """The sound without the segments that begin after the picture of `count` segments has ended."""
    if audio is None or not count:
        return audio
    end, begins, kept = playable_frames(plan, measured) / plan.exact_rate, Fraction(0), 0
    for seconds in audio.durations:
        if begins >= end:
            break
        begins, kept = begins + seconds, kept + 1
    return AudioResult(audio.codec, audio.channels, audio.sample_rate, audio.samples[:kept], audio.bytes[:kept])


def _seconds(plan: Plan, segment: Segment) -> Fraction:
    return segment.frames / plan.exact_rate


def _rates(plan: Plan, segments: Sequence[Segment]) -> tuple[int, int]:
    sizes = [(segment.bytes, _seconds(plan, segment)) for segment in segments]
    return _peak(sizes, _target([seconds for _, seconds in sizes])), _average(sizes)


def _audio_rates(audio: AudioResult | None) -> tuple[int, int]:
    if audio is None:
        return 0, 0
    sizes = list(zip(audio.bytes, audio.durations, strict=True))
    return _peak(sizes, _target(audio.durations)), _average(sizes)


def _peak(sizes: Sequence[tuple[int, Fraction]], target: int) -> int:
    """Peak segment bit rate (section 4.1): the largest of any run that lasts 0.5 to 1.5 target durations."""
    best = Fraction(0)
    for first in range(len(sizes)):
        total, length = 0, Fraction(0)
        for size, seconds in sizes[first:]:
            total, length = total + size, length + seconds
            if length * 2 > 3 * target:
                break
            if length * 2 >= target:
                best = max(best, total * 8 / length)
    return int(best) or _average(sizes)


def _average(sizes: Sequence[tuple[int, Fraction]]) -> int:
    length = sum((seconds for _, seconds in sizes), Fraction(0))
    return int(sum(size for size, _ in sizes) * 8 / length) if length else 0


def _target(durations: Sequence[Fraction]) -> int:
    """EXT-X-TARGETDURATION (4.3.3.1): no duration, rounded to the nearest second, may exceed it."""
    return max((int(seconds + Fraction(1, 2)) for seconds in durations), default=1) or 1


def _six(seconds: Fraction) -> str:
    micros = round(seconds * 1_000_000)
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"
