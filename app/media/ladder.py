"""Which renditions a source gets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.media.facts import JsonRecord

UHD = (2160, 13000)
RUNGS = ((1080, 4500), (720, 2500), (540, 1400), (360, 600))
"""Short side of a 16:9 box in pixels, and the highest rate in kbit/s averaged over the buffer. UHD on request."""

OWN_SIZE_GAIN = 1.5
"""A source between two rungs gets a rendition of its own size when that has so many times the pixels."""


@dataclass(frozen=True, slots=True)
class Rendition(JsonRecord):
    """`name` is the stem of its playlist and its folder: `v720`. Sizes in square pixels, rate in kbit/s."""

    name: str
    width: int
    height: int
    maxrate: int


def renditions(width: int, height: int, *, wants_2160: bool = False) -> tuple[Rendition, ...]:
    """The ladder for a picture seen at width × height, largest first; never larger than the source.

    A rung counts when the picture fills its 16:9 box in one direction at least (the box stands on end for
    upright pictures, so the short and the long side are both limited). The lowest rung is the one that plays
    first. A source that fills no box has one rendition of its own size.
    """
    ladder = [
        Rendition(f"v{short}", *_fitted(width, height, short), maxrate)
        for short, maxrate in ((UHD, *RUNGS) if wants_2160 else RUNGS)
        if _fills(width, height, short)
    ]
    own_width, own_height = _even(width), _even(height)
    largest = ladder[0].width * ladder[0].height if ladder else 0
    if own_width * own_height >= OWN_SIZE_GAIN * largest and not _fills(width, height, RUNGS[0][0]):
        rate = max([_rate_for(own_width * own_height), *(rendition.maxrate for rendition in ladder[:1])])
        # A tall or wide picture can be as narrow as a rung's box: then its long side names it.
        taken = {rendition.name for rendition in ladder}
        name = next(name for side in sorted((own_width, own_height)) if (name := f"v{side}") not in taken)
        ladder.insert(0, Rendition(name, own_width, own_height, rate))
    return tuple(ladder)


def poster_size(width: int, height: int, limit: int = 1280) -> tuple[int, int]:
    """Even sides, neither above `limit`, never larger than the picture."""
    scale = min(1.0, limit / max(width, height))
    return _even(width * scale), _even(height * scale)


def _box(width: int, height: int, short: int) -> tuple[float, float]:
    long = short * 16 / 9
    return (long, short) if width >= height else (short, long)


def _fills(width: int, height: int, short: int) -> bool:
    box_width, box_height = _box(width, height, short)
    return width >= box_width - 2 or height >= box_height - 2


def _fitted(width: int, height: int, short: int) -> tuple[int, int]:
    box_width, box_height = _box(width, height, short)
    scale = min(1.0, box_width / width, box_height / height)
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))


def _rate_for(pixels: int) -> int:
    """Between the rungs the rate grows with the pixels to the power of 3/4."""
    short, highest = RUNGS[0]
    share = pixels / (short * short * 16 / 9)
    return max(100, int(highest * math.pow(share, 0.75)) // 10 * 10)
