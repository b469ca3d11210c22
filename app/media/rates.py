"""Which exact rate a preview runs at, from what ffprobe says about the source."""

from __future__ import annotations

from fractions import Fraction

STANDARD = tuple(
    sorted(
        [Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60)]
        + [Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60)]
        + [Fraction(25, 2)]
    )
)
HIGHEST = Fraction(60)
TOLERANCE = Fraction(2, 1000)


def parse(text: str | None) -> Fraction | None:
    """ffprobe's `"30000/1001"`; None for `"0/0"`, `"90000/0"` and nothing."""
    numerator, _, denominator = (text or "").partition("/")
    if not numerator.isdigit() or not (denominator or "1").isdigit():
        return None
    top, bottom = int(numerator), int(denominator or 1)
    return Fraction(top, bottom) if top and bottom else None


def close(one: Fraction, other: Fraction) -> bool:
    """Within 0.2 %: 29.97 and 30 are told apart by which is nearer, not by this."""
    return abs(one - other) <= TOLERANCE * other


def is_variable(average: Fraction | None, declared: Fraction | None) -> bool:
    """Whether the frames are not evenly spaced: the average differs from the finest grid that fits them."""
    return bool(average and declared and not close(average, declared))


def grid_rate(average: Fraction | None, declared: Fraction | None, *, interlaced: bool = False) -> Fraction:
    """The preview's rate: the nearest standard one within 0.2 % of the average, else the average itself.

    A variable rate is conformed to the declared one (ffprobe's r_frame_rate) where that is 10 to 60, else to
    the next standard rate above the average. Interlaced streams may declare their field rate: frames count.
    Never above 60 nor below 1.
    """
    if interlaced and average and declared and close(average * 2, declared):
        declared = average
    if average and declared and is_variable(average, declared):
        if 10 <= declared <= HIGHEST:
            return _snapped(declared)
        return next((rate for rate in STANDARD if rate >= average), None) or _snapped(_capped(average))
    rate = average or declared or Fraction(25)
    return _snapped(max(Fraction(1), _capped(rate)))


def _snapped(rate: Fraction) -> Fraction:
    nearest = min(STANDARD, key=lambda standard: abs(standard - rate))
    return nearest if close(rate, nearest) else rate.limit_denominator(1001)


def _capped(rate: Fraction) -> Fraction:
    """At most 60, by leaving out every other frame where that gives a standard rate (120 → 60, 100 → 50)."""
    halved = rate
    while halved > HIGHEST * (1 + TOLERANCE):
        halved /= 2
    if halved == rate or any(close(halved, standard) for standard in STANDARD):
        return halved
    return HIGHEST
