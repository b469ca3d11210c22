"""How long a stream really is: what its packets demonstrate.

A header may lie (a damaged or truncated file, or one made to waste our time). Reading the last two seconds by
seeking costs little and proves an honest header; where it does not, every packet is counted, without decoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from app.media.source import input_arguments
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted

TAIL_SECONDS = 2.0
TOLERANCE = 0.25
TAIL_LIMIT = 60.0
SCAN_LIMIT = 1800.0
MOST_FRAMES = 60 * 60 * 60 * 48
_FIELD = re.compile(r"\|(pts_time|duration_time|flags)=([^|]*)")


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a stream begins and ends, in seconds of its own timestamps; `last` is its last picture's."""

    start: float
    last: float
    end: float
    packets: int
    trusted: bool

    def frames(self, rate: Fraction, *, variable: bool = False) -> int:
        """Frames on a grid of `rate` from the start to the end.

        At a variable rate the last picture counts even where its stated duration is nothing.
        """
        ends = round(Fraction(self.end - self.start) * rate)
        last = round(Fraction(self.last - self.start) * rate) + 1 if variable else 1
        return max(1, min(MOST_FRAMES, max(ends, last)))


ONE_PICTURE = Extent(0.0, 0.0, 0.0, 1, True)


def measure(
    tools: Tools,
    url: str,
    folder: Path,
    forced: str | None,
    cancelled: Callable[[], bool] | None,
    *,
    stream: int,
    start: float,
    duration: float | None,
) -> Extent:
    """The extent of stream number `stream` that claims to begin at `start` and to last `duration` seconds.

    Raises Unplayable (no_packets) where nothing can be read; TimedOut, Cancelled.
    """
    ask = (tools, url, folder, forced, cancelled)
    if duration is not None and 0 < duration < 1e7:
        claimed = start + duration
        tail = _packets(*ask, stream, since=max(start, claimed - TAIL_SECONDS), limit=TAIL_LIMIT)
        if tail and abs(tail.end - claimed) <= TOLERANCE:
            return Extent(start, tail.last, tail.end, tail.count, True)
    whole = _packets(*ask, stream, since=None, limit=SCAN_LIMIT)
    if whole is None:
        from app.media.probe import Unplayable

        raise Unplayable("no_packets", "nothing in it can be read; it may have been cut off.")
    return Extent(
        min(start, whole.first) if whole.first > start + 1 else start,
        whole.last,
        whole.end,
        whole.count,
        False,
    )


@dataclass(slots=True)
class _Seen:
    first: float = float("inf")
    last: float = float("-inf")
    end: float = float("-inf")
    count: int = 0

    def take(self, line: str) -> None:
        """One line of ffprobe's compact output. Packets that an edit list hides (flag D) do not count."""
        fields = dict(_FIELD.findall(line))
        if not line.startswith("packet|") or "D" in fields.get("flags", ""):
            return
        try:
            time = float(fields["pts_time"])
        except (KeyError, ValueError):
            return
        try:
            length = max(0.0, float(fields["duration_time"]))
        except (KeyError, ValueError):
            length = 0.0
        self.count += 1
        self.first, self.last = min(self.first, time), max(self.last, time)
        self.end = max(self.end, time + length)


def _packets(
    tools: Tools,
    url: str,
    folder: Path,
    forced: str | None,
    cancelled: Callable[[], bool] | None,
    stream: int,
    *,
    since: float | None,
    limit: float,
) -> _Seen | None:
    """What the packets from `since` on show, or None where none came."""
    command = [tools.ffprobe, "-v", "error", "-of", "compact", *input_arguments()]
    command += ["-f", forced] if forced else []
    command += ["-select_streams", str(stream), "-show_entries", "packet=pts_time,duration_time,flags"]
    command += ["-read_intervals", f"{since:.6f}%"] if since is not None else []
    seen = _Seen()
    try:
        run_untrusted(
            [*command, url], folder=folder, time_limit=limit, on_line=seen.take, cancelled=cancelled
        )
    except MediaFailed as error:
        if error.code != "media_failed":
            raise
    return seen if seen.count else None
