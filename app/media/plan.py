"""What is to be built of a source, settled once before any encoding starts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from app.core.timecode import format_rate, parse_rate
from app.media.facts import JsonRecord, Probe
from app.media.grid import Chunk, Grid, cut, make_grid
from app.media.ladder import Rendition, renditions
from app.media.scan import MOST_FRAMES


@dataclass(frozen=True, slots=True)
class Plan(JsonRecord):
    """All that an encoding job needs besides the source's address.

    `renditions` goes from the largest down; the last one is what plays first. A still has neither
    renditions nor chunks (it has a poster); audio has no renditions and no chunks (it has audio segments).
    """

    probe: Probe
    rate: str
    grid: Grid
    renditions: tuple[Rendition, ...]
    chunks: tuple[Chunk, ...]
    has_audio: bool

    @property
    def exact_rate(self) -> Fraction:
        return parse_rate(self.rate)

    @property
    def frame_count(self) -> int:
        return self.grid.frame_count

    @property
    def picture_frames(self) -> int:
        """Frames that have a picture of their own; those after them, if any, show the last one while sound goes on."""
        return min(self.grid.frame_count, self.probe.frame_count)

    @property
    def holds_last(self) -> bool:
        """Whether the last picture stands for a while."""
        return self.picture_frames < self.frame_count

    @property
    def duration(self) -> Fraction:
        """Seconds, exactly."""
        return self.grid.frame_count / self.exact_rate

    @property
    def has_poster(self) -> bool:
        return self.probe.video is not None

    def rendition(self, name: str) -> Rendition:
        """The rendition of that name; raises KeyError."""
        for rendition in self.renditions:
            if rendition.name == name:
                return rendition
        raise KeyError(name)


def make_plan(probe: Probe, *, rate_hint: Fraction | None = None, wants_2160: bool = False) -> Plan:
    """The plan for a probed source. `wants_2160` adds that rendition where the source is large enough.

    `rate_hint` is the project's rate, used where the source has none of its own (sound). The frame count is
    the one that the source's packets demonstrate.
    """
    rate, count = probe.exact_rate, probe.frame_count
    if probe.kind == "audio" and rate_hint is not None:
        rate = rate_hint
        count = max(1, round(Fraction(probe.duration) * rate))
    if probe.kind == "video" and probe.sound_until > probe.duration:
        count = min(MOST_FRAMES, max(count, round(Fraction(probe.sound_until) * rate)))
    grid = make_grid(rate, count)
    film = probe.kind == "video" and probe.video is not None
    return Plan(
        probe=probe,
        rate=format_rate(rate),
        grid=grid,
        renditions=renditions(*probe.video.display, wants_2160=wants_2160) if film and probe.video else (),
        chunks=tuple(cut(grid)) if film else (),
        has_audio=probe.kind != "still" and bool(probe.audio),
    )
