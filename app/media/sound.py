"""The sound: AAC segments, its waveform and its loudness, all of one decode."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from app.media import fmp4
from app.media.commands import compiled, in_seconds, open_input
from app.media.facts import Audio
from app.media.loudness import read_summary
from app.media.plan import Plan
from app.media.results import AudioResult, numbered, read_plain
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted
from app.media.waveform import Peaks

RATE = 48000
CHANNELS = 2
BITRATE = 128_000
BASE_SECONDS = 300.0
SHORTEST = Fraction(1)
WAVEFORM = "waveform.json"


def encode_audio(
    tools: Tools,
    url: str,
    plan: Plan,
    folder: Path,
    *,
    on_progress: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> AudioResult:
    """Encode the whole sound into an empty private `folder`: `a/init.mp4`, `a/00000.m4s` … and `waveform.json`.

    The last segment is never shorter than a second: players do not load such a one. `on_progress` gets the
    frames done, on another thread. Raises MediaFailed, TimedOut, Cancelled.
    """
    (folder / "a").mkdir()
    peaks = Peaks(rate=RATE, channels=CHANNELS, duration=plan.duration)

    def take(block: bytes) -> None:
        peaks.take(block)
        if on_progress is not None:
            on_progress(min(plan.frame_count, int(peaks.seconds * plan.exact_rate)))

    limit = BASE_SECONDS + float(plan.duration)
    command = audio_command(tools, url, plan, "a")
    done = run_untrusted(command, folder=folder, time_limit=limit, on_block=take, cancelled=cancelled)
    (folder / WAVEFORM).write_text(json.dumps(peaks.to_json(), separators=(",", ":")))
    init = read_plain(folder / "a" / "init.mp4")
    if init is None:
        raise MediaFailed("no_sound", "Nothing of the sound could be decoded.")
    rate = fmp4.timescale(init)
    files = numbered(folder / "a", 0)
    samples = [_samples(path, init) for path in files]
    if len(files) > 1 and Fraction(samples[-1], rate) < SHORTEST:
        last = files.pop()
        with files[-1].open("ab") as before:
            before.write(last.read_bytes())
        last.unlink()
        samples[-2:] = [sum(samples[-2:])]
    (folder / "a" / "audio.m3u8").unlink(missing_ok=True)
    sizes = tuple(path.stat().st_size for path in files)
    loudness = read_summary(done.stderr_tail)
    return AudioResult("mp4a.40.2", CHANNELS, rate, tuple(samples), sizes, loudness)


def audio_command(tools: Tools, url: str, plan: Plan, folder: str) -> list[str]:
    """AAC-LC, 128 kbit/s, stereo, 48 kHz, as long as the picture; the same as PCM on standard output.

    The loudness is that of the programme before it becomes stereo. Without frag_discont and with negative times
    left alone the encoder's 1024 samples of priming stay in the edit list, and sound and picture are in step
    (research: a click and a flash agree to under 1 ms).
    """
    end = in_seconds(plan.duration)
    both = (
        _programme(open_input(url, plan, None), plan.probe.audio)
        .filter("asetpts", f"PTS-({plan.probe.zero:.6f})/TB")
        .filter("atrim", start=0, end=end)
        .filter_multi_output("asplit", 2)
    )
    sound = (
        both[0]
        .filter("aformat", channel_layouts="stereo")
        .filter("aresample", str(RATE), **{"async": "1", "first_pts": "0"})
        .filter("apad", whole_dur=end)
        .filter("atrim", end=end)
        .filter_multi_output("asplit", 2)
    )
    measured = both[1].filter("ebur128", peak="true", framelog="verbose")
    outputs = [
        ffmpeg.output(sound[0], f"{folder}/audio.m3u8", **_aac(plan, folder)),
        ffmpeg.output(sound[1], "pipe:1", **{"c:a": "pcm_s16le", "f": "s16le"}),
        ffmpeg.output(measured, "-", f="null"),
    ]
    # The summary of the loudness is a message of the level "info"; standard output is taken.
    return compiled(tools, outputs, level="info", progress=False)


def _aac(plan: Plan, folder: str) -> dict[str, str]:
    return {
        "c:a": "aac", "b:a": str(BITRATE), "ac": str(CHANNELS), "ar": str(RATE),
        "avoid_negative_ts": "disabled", "map_metadata": "-1",
        "f": "hls", "hls_segment_type": "fmp4", "hls_list_size": "0", "hls_playlist_type": "vod",
        "hls_time": in_seconds(plan.grid.segment_frames / plan.exact_rate),
        "hls_fmp4_init_filename": "init.mp4", "hls_segment_filename": f"{folder}/%05d.m4s",
    }  # fmt: skip


def _programme(source: Any, tracks: tuple[Audio, ...]) -> Any:
    """The main sound: a pair of mono tracks joined, the first two channels of many, or the first track."""
    first = tracks[0]
    if len(tracks) > 1 and first.channels == tracks[1].channels == 1:
        pair = [source[str(track.stream)] for track in tracks[:2]]
        return ffmpeg.filter(pair, "join", inputs=2, channel_layout="stereo")
    stream = source[str(first.stream)]
    if first.channels > 8 or (first.channels > 2 and first.layout is None):
        return stream.filter("pan", "stereo|c0<c0|c1<c1")
    return stream


def _samples(path: Path, init: bytes) -> int:
    return sum(sum(part.durations) for part in fmp4.fragments(read_plain(path) or b"", init))
