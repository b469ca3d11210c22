"""Timecode in the browser counts as on the server, and the clock takes what people type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect
from review_page import Open, settled, show
from review_server import Room

pytestmark = pytest.mark.browser
GOLDEN = json.loads((Path(__file__).parents[1] / "core/golden_timecode.json").read_text())["cases"]


@pytest.mark.parametrize(
    ("start", "typed"),
    [
        (0, {"12": 12, "#150": 150, "f 42": 42, "+5": 105, "-1:00": 75, "00000812": 212, "1:00:00": 299}),
        (900_000, {"10:00:03:12": 87, "3:12": 87, "1000": 250, "10:00:00;05": 5}),
    ],
)
def test_a_typed_timecode_lands(room: Room, open_room: Open, start: int, typed: dict[str, int]) -> None:
    room.start = start
    page = open_room()
    for text, frame in typed.items():
        show(page, 100)
        page.keyboard.press("g")
        expect(page.locator("#clock-input")).to_be_focused()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        assert (text, settled(page)) == (text, frame)
        expect(page.locator("#clock-input")).to_have_value(room.timecode("r25").label(frame))


def test_what_is_no_timecode_is_refused_and_forgotten(open_room: Open) -> None:
    page = open_room("r25", "&f=100")
    clock = page.locator("#clock-input")
    clock.fill("noon")
    clock.press("Enter")
    expect(clock).to_have_attribute("aria-invalid", "true")
    clock.press("Escape")
    expect(clock).to_have_value("00:00:04:00")
    assert settled(page) == 100


def test_labels_are_those_of_the_golden_table(open_room: Open) -> None:
    page = open_room()
    wrong = page.evaluate(
        """async cases => {
          const { Timecode } = await import("/static/js/timecode.js");
          return cases.flatMap(({ rate, drop, start, startFrame, labels }) => {
            const [num, den] = rate.split("/").map(Number);
            const counting = new Timecode({ num, den, drop });
            const film = new Timecode({ num, den, drop, start: startFrame });
            const bad = labels.filter(([n, label]) => counting.label(n) !== label || counting.frame(label) !== n);
            return film.label(0) === start && film.frame(start) === 0 ? bad : [start, ...bad];
          });
        }""",
        GOLDEN,
    )
    assert sum(len(case["labels"]) for case in GOLDEN) > 1000
    assert wrong == []


def test_dropped_labels_stand_for_the_next_that_exists(open_room: Open) -> None:
    page = open_room()
    answers = page.evaluate(
        """async () => {
          const { Timecode } = await import("/static/js/timecode.js");
          const drop = new Timecode({num: 30000, den: 1001, drop: true});
          const typed = ["1:00;00", "1:00;02", "1:60:00", "−10"].map(text => drop.parse(text, 50));
          return [drop.frame("00:01:00;00"), ...typed, drop.length(1800)];
        }"""
    )
    assert answers == [None, 1800, 1800, None, 40, "00:01:00:00"]
