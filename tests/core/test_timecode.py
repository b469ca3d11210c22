"""Timecode against an independent package's vectors, and its own laws at every rate."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Rejected
from app.core.timecode import Timecode, can_drop, format_rate, nominal, parse_rate, start_of

GOLDEN: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden_timecode.json").read_text())["cases"]
RATES = [
    *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)),
    *(Fraction(n) for n in (1, 10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120)),
    Fraction(25, 2),
    Fraction(15000, 1001),
]
COUNTINGS = [(rate, drop) for rate in RATES for drop in ((False, True) if can_drop(rate) else (False,))]
countings = st.sampled_from(COUNTINGS)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case['rate']}{'df' if case['drop'] else ''}")
def test_labels_are_those_of_an_independent_implementation(case: dict[str, Any]) -> None:
    code = Timecode(parse_rate(case["rate"]), case["drop"])
    for count, label in case["labels"]:
        assert code.label(count) == label
        assert code.frame(label) == count
    assert code.count(case["start"]) == case["startFrame"]


@given(countings, st.integers(0, 10**8), st.integers(0, 10**7))
def test_a_label_leads_back_to_its_frame(counting: tuple[Fraction, bool], frame: int, start: int) -> None:
    rate, drop = counting
    day = Timecode(rate, drop).frames_per_day
    code = Timecode(rate, drop, start % day)
    assert (code.frame(code.label(frame)) - frame) % day == 0


@given(countings, st.integers(0, 10**7))
def test_labels_rise_by_one_and_never_repeat_within_a_day(counting: tuple[Fraction, bool], frame: int) -> None:
    rate, drop = counting
    code = Timecode(rate, drop)
    frame %= code.frames_per_day - 1
    here, after = code.label(frame), code.label(frame + 1)
    assert here < after
    assert code.count(after) == code.count(here) + 1
    assert re.fullmatch(r"\d\d:\d\d:\d\d[:;]\d\d\d?", here)


@given(countings)
def test_labels_wrap_at_24_hours(counting: tuple[Fraction, bool]) -> None:
    code = Timecode(*counting)
    assert code.label(code.frames_per_day) == code.label(0)
    last = code.label(code.frames_per_day - 1)
    assert last.startswith("23:59:59")
    assert int(re.split("[:;]", last)[3]) == nominal(code.rate) - 1


def test_drop_frame_keeps_pace_with_the_clock() -> None:
    for rate in (Fraction(30000, 1001), Fraction(60000, 1001)):
        code = Timecode(rate, drop=True)
        hour = code.count("01:00:00;00")
        assert abs(hour / rate - 3600) < Fraction(5, 1000)
        assert Timecode(rate).count("01:00:00:00") / rate - 3600 == Fraction(36, 10)


@pytest.mark.parametrize("label", ["00:01:00;00", "00:01:00;01", "10:59:00;00", "00:01:00:01"])
def test_a_dropped_label_is_refused_with_its_reason(label: str) -> None:
    with pytest.raises(Rejected, match="drop-frame") as caught:
        Timecode(Fraction(30000, 1001), drop=True).frame(label)
    assert caught.value.code == "dropped_timecode"
    assert Timecode(Fraction(30000, 1001)).frame(label) > 0


def test_four_labels_are_dropped_at_59_94() -> None:
    code = Timecode(Fraction(60000, 1001), drop=True)
    for rest in range(4):
        with pytest.raises(Rejected):
            code.frame(f"00:01:00;0{rest}")
    assert code.frame("00:01:00;04") == 3600
    assert code.label(3600) == "00:01:00;04"


@pytest.mark.parametrize(
    "text",
    ["", "12", "1:2:3", "00:00:00:25", "00:60:00:00", "00:00:60:00", "24:00:00:00", "aa:bb:cc:dd", "٠٠:00:00:00"],
)
def test_what_is_no_timecode_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        Timecode(Fraction(25)).frame(text)
    assert caught.value.code == "bad_timecode"
    assert caught.value.sentence.endswith(".")


def test_the_start_shifts_labels_and_frames() -> None:
    code = start_of("10:00:00:00", Fraction(25))
    assert code.label(0) == "10:00:00:00"
    assert code.label(130) == "10:00:05:05"
    assert code.frame("10:00:05:05") == 130
    assert code.frame("09:59:59:24") == -1
    assert start_of("23:59:59:24", Fraction(25)).label(1) == "00:00:00:00"


@pytest.mark.parametrize(
    ("text", "rate", "label"),
    [
        ("00:59:58;00", Fraction(30000, 1001), "00:59:58;00"),
        ("00:59:58.00", Fraction(30000, 1001), "00:59:58;00"),
        ("01:00:00;00", Fraction(25), "01:00:00:00"),
        (None, Fraction(25), "00:00:00:00"),
        ("nonsense", Fraction(25), "00:00:00:00"),
        ("01:00:00:29", Fraction(25), "00:00:00:00"),
        ("00:01:00;00", Fraction(30000, 1001), "00:00:00;00"),
    ],
)
def test_a_sources_start_is_read_generously(text: str | None, rate: Fraction, label: str) -> None:
    assert start_of(text, rate).label(0) == label


def test_drop_frame_exists_at_two_rates_only() -> None:
    with pytest.raises(ValueError, match="drop-frame"):
        Timecode(Fraction(25), drop=True)
    with pytest.raises(ValueError, match="positive"):
        Timecode(Fraction(0))


def test_rates_are_read_exactly() -> None:
    assert parse_rate("30000/1001") == Fraction(30000, 1001)
    assert format_rate(parse_rate("25")) == "25/1"
    assert nominal(Fraction(24000, 1001)) == 24
    assert nominal(Fraction(25, 2)) == 13
    for text in ("", "0", "25/0", "-25", "29.97", "1e3"):
        with pytest.raises(Rejected):
            parse_rate(text)
