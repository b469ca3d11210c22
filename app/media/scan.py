"""Ask ffprobe: what is in a source, and how long its streams really are.

A header may lie (a damaged or truncated file, or one made to waste our time). Reading the last two seconds
by seeking costs little and proves an honest header; where it does not, every packet is counted, undecoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from app.media.source import input_arguments
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted

DESCRIBE_SECONDS = 60.0
TAIL_SECONDS = 2.0
TOLERANCE = 0.25
SCAN_SECONDS = 1800.0
MOST_FRAMES = 48 * 3600 * 60
_FIELD = re.compile(r"\|(pts_time|duration_time|flags)=([^|]*)")


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a stream begins and ends, in seconds of its own timestamps; `last` is its last picture's."""

    start: float
    last: float
    end: float
    trusted: bool

    def frames(self, rate: Fraction, *, variable: bool = False) -> int:
        """Frames on a grid of `rate` from the start to the end, at least one and at most two days' worth.

        At a variable rate the last picture counts even where its stated duration is nothing.
        """
        ends = round(Fraction(self.end - self.start) * rate)
        last = round(Fraction(self.last - self.start) * rate) + 1 if variable else 1
        return max(1, min(MOST_FRAMES, max(ends, last)))


ONE_PICTURE = Extent(0.0, 0.0, 0.0, True)


@dataclass(frozen=True, slots=True)
class Scanner:
    """ffprobe on one source: the address, a private folder, the demuxer to force, when to stop."""

    tools: Tools
    url: str
    folder: Path
    forced: str | None = None
    cancelled: Callable[[], bool] | None = None

    def describe(self, *more: str) -> dict[str, Any]:
        """ffprobe's JSON of format and streams, without the address; `more` are further `-show_…` options.

        Raises MediaFailed where it recognises nothing.
        """
        command = [*self._program(), "-of", "json", "-show_format", "-show_streams", *more, self.url]
        done = run_untrusted(command, folder=self.folder, time_limit=DESCRIBE_SECONDS, cancelled=self.cancelled)
        try:
            data = json.loads(done.stdout)
        except ValueError as error:
            raise MediaFailed("media_failed", "The description of this file cannot be read.") from error
        if not isinstance(data, dict):
            return {}
        if isinstance(data.get("format"), dict):
            data["format"].pop("filename", None)
        return data

    def measure(self, stream: int, *, start: float, duration: float | None) -> Extent | None:
        """The extent of stream number `stream`, which claims to begin at `start` and to last `duration`.

        None where not a packet can be read.
        """
        if duration is not None and 0 < duration < 1e7:
            claimed = start + duration
            tail = self._packets(stream, since=max(start, claimed - TAIL_SECONDS))
            if tail is not None and abs(tail.end - claimed) <= TOLERANCE:
                return Extent(start, tail.last, tail.end, True)
        whole = self._packets(stream, since=None)
        return None if whole is None else Extent(start, whole.last, whole.end, False)

    def _packets(self, stream: int, *, since: float | None) -> _Seen | None:
        """What the packets from `since` on show, or None where none came."""
        command = [*self._program(), "-of", "compact", "-select_streams", str(stream)]
        command += ["-show_entries", "packet=pts_time,duration_time,flags"]
        command += ["-read_intervals", f"{since:.6f}%"] if since is not None else []
        limit = DESCRIBE_SECONDS if since is not None else SCAN_SECONDS
        seen = _Seen()
        try:
            run_untrusted(
                [*command, self.url],
                folder=self.folder,
                time_limit=limit,
                on_line=seen.take,
                cancelled=self.cancelled,
            )
        except MediaFailed as error:  # damage ends the reading: what came before counts
            if error.code != "media_failed":
                raise
        return seen if seen.count else None

    def _program(self) -> list[str]:
        forced = ["-f", self.forced] if self.forced else []
        return [self.tools.ffprobe, "-v", "error", *input_arguments(), *forced]


@dataclass(slots=True)
class _Seen:
    last: float = float("-inf")
    end: float = float("-inf")
    count: int = 0

    def take(self, line: str) -> None:
        """One line of ffprobe's compact output. Packets that an edit list hides (flag D) do not count."""
        fields = dict(_FIELD.findall(line))
        time, length = _number(fields.get("pts_time")), _number(fields.get("duration_time"))
        if not line.startswith("packet|") or "D" in fields.get("flags", "") or time is None:
            return
        self.count += 1
        self.last = max(self.last, time)
        self.end = max(self.end, time + max(0.0, length or 0.0))


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
