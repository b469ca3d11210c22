"""Frames and SMPTE timecode (ST 12-1) at exact rates.

A frame is an integer; a rate is a Fraction of frames a second. Timecode counts at the *nominal* rate
(24 at 24000/1001), so it is a label of frames, not a clock. Drop-frame (ST 12-1, 5.2.2) leaves out labels,
never pictures: at 30000/1001 the labels ;00 and ;01 of every minute but each tenth, at 60000/1001 four of
them. Labels wrap at 24 hours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from app.core.errors import Rejected

DROP_RATES = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}
"""The rates at which drop-frame exists, with the labels left out in each minute but every tenth."""

_LABEL = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})([:;.,])(\d{1,3})", re.ASCII)
_RATE = re.compile(r"(\d{1,9})(?:/(\d{1,9}))?", re.ASCII)


def parse_rate(text: str) -> Fraction:
    """`"30000/1001"` or `"25"` as a Fraction. Raises Rejected (bad_rate) for anything else, zero included."""
    match = _RATE.fullmatch(text.strip())
    if not match or int(match[1]) == 0 or int(match[2] or 1) == 0:
        raise Rejected("bad_rate", "A frame rate is written like 25 or 30000/1001.")
    return Fraction(int(match[1]), int(match[2] or 1))


def format_rate(rate: Fraction) -> str:
    """The exact rate as text, always with its denominator: `"30000/1001"`, `"25/1"`."""
    return f"{rate.numerator}/{rate.denominator}"


def nominal(rate: Fraction) -> int:
    """Labels in one second of timecode: 24 for 24000/1001, 30 for 30000/1001, 60 for 60000/1001."""
    return max(1, int(rate + Fraction(1, 2)))


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame counting exists at this rate."""
    return rate in DROP_RATES


@dataclass(frozen=True, slots=True)
class Timecode:
    """How one source labels its frames: exact rate, drop-frame or not, and the label of its first frame.

    `start` is that label as a count from 00:00:00:00 (frames, at the same counting).
    """

    rate: Fraction
    drop: bool = False
    start: int = 0

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise ValueError("a frame rate is positive")
        if self.drop and not can_drop(self.rate):
            raise ValueError("drop-frame timecode exists at 30000/1001 and 60000/1001 only")

    @property
    def frames_per_day(self) -> int:
        """After how many frames the labels repeat."""
        fps = nominal(self.rate)
        return 24 * 3600 * fps - (24 * 54 * DROP_RATES[self.rate] if self.drop else 0)

    def label(self, frame: int) -> str:
        """The label of the source's frame `frame` (0 is its first): HH:MM:SS:FF, HH:MM:SS;FF when dropping."""
        fps = nominal(self.rate)
        count = (frame + self.start) % self.frames_per_day
        if self.drop:
            count = self._with_dropped(count)
        seconds, rest = divmod(count, fps)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        width = max(2, len(str(fps - 1)))
        return f"{hour:02d}:{minute:02d}:{second:02d}{';' if self.drop else ':'}{rest:0{width}d}"

    def frame(self, text: str) -> int:
        """The source's frame that bears the label `text`; negative for labels before its start.

        Colons and semicolons are taken alike, since people type either. Raises Rejected: bad_timecode for
        text that is no timecode at this rate, dropped_timecode for a label that drop-frame leaves out.
        """
        return self.count(text) - self.start

    def count(self, text: str) -> int:
        """Frames from 00:00:00:00 to the label `text`. Raises as `frame` does."""
        hour, minute, second, rest = self._fields(text)
        fps = nominal(self.rate)
        minutes = hour * 60 + minute
        count = (minutes * 60 + second) * fps + rest
        if not self.drop:
            return count
        dropped = DROP_RATES[self.rate]
        if rest < dropped and second == 0 and minute % 10:
            raise Rejected(
                "dropped_timecode",
                f"{text.strip()} does not exist: drop-frame leaves out the first {dropped} labels of this minute.",
            )
        return count - dropped * (minutes - minutes // 10)

    def _fields(self, text: str) -> tuple[int, int, int, int]:
        match = _LABEL.fullmatch(text.strip())
        if not match:
            raise Rejected("bad_timecode", "A timecode is written HH:MM:SS:FF, like 01:00:12:05.")
        hour, minute, second, rest = int(match[1]), int(match[2]), int(match[3]), int(match[5])
        fps = nominal(self.rate)
        if hour > 23 or minute > 59 or second > 59 or rest >= fps:
            raise Rejected(
                "bad_timecode",
                f"{text.strip()} is no timecode here: hours end at 23, minutes and seconds at 59, frames at {fps - 1}.",
            )
        return hour, minute, second, rest

    def _with_dropped(self, count: int) -> int:
        """A running count as the number that the label shows, the dropped labels counted in."""
        dropped = DROP_RATES[self.rate]
        per_minute = 60 * nominal(self.rate) - dropped
        per_ten = 10 * per_minute + dropped
        tens, rest = divmod(count, per_ten)
        skipped = 9 * dropped * tens
        if rest >= per_minute + dropped:
            skipped += dropped * ((rest - dropped) // per_minute)
        return count + skipped


def start_of(text: str | None, rate: Fraction) -> Timecode:
    """The labelling of a source whose start timecode is `text`, as ffprobe or a person writes it.

    A semicolon, full stop or comma before the frames means drop-frame. Without a timecode, or with one that
    does not fit the rate, frames are labelled from 00:00:00:00.
    """
    drop = bool(text) and can_drop(rate) and not re.fullmatch(r"[\d:]*", (text or "").strip())
    base = Timecode(rate, drop)
    if not text:
        return base
    try:
        return Timecode(rate, drop, base.count(text))
    except Rejected:
        return base
