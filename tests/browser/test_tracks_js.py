"""What lies behind the timeline: the storyboard and the waveform, drawn and pointed at, there at once or later."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page
from review_page import Open, until
from review_server import Room

from app.media.storyboard import Storyboard, write_vtt

FRAMES, EVERY = 300, 50
GREYS = (20, 60, 100, 140, 180, 220)
"""The tile of each two seconds has its own grey."""
PIXEL = """([selector, x, y]) => {
  const canvas = document.querySelector(selector);
  const place = [canvas.width * x, canvas.height * y].map(Math.floor);
  return [...canvas.getContext("2d").getImageData(...place, 1, 1).data];
}"""


@pytest.fixture
def tracks(room: Room, media: Path) -> dict[str, str]:
    """A storyboard and a waveform of the film: loud in its second half, cut off at its end."""
    folder = media / "r25"
    board = Storyboard(tiles=6, every=EVERY, width=160, height=90, columns=6, rows=1)
    sheet = Image.new("L", (960, 90))
    for tile, grey in enumerate(GREYS):
        sheet.paste(grey, (tile * 160, 0, (tile + 1) * 160, 90))
    sheet.save(folder / "sprite-000.jpg", quality=95)
    (folder / "storyboard.vtt").write_text(write_vtt(board, Fraction(25), FRAMES))
    points = [value for point in range(600) for value in _point(point)]
    wave = {"version": 2, "channels": 1, "sample_rate": 48000, "samples_per_pixel": 960, "bits": 8, "length": 600}
    (folder / "waveform.json").write_text(json.dumps({**wave, "data": points}))
    return {"storyboard": "storyboard.vtt", "waveform": "waveform.json"}


def _point(number: int) -> tuple[int, int]:
    if number >= 590:
        return -128, 127
    return (-64, 64) if number >= 300 else (0, 0)


def pixel(page: Page, selector: str, x: float, y: float) -> Any:
    return page.evaluate(PIXEL, [selector, x, y])


def drawn(page: Page) -> None:
    until(page, "document.querySelector('#timeline').matches('.with-pictures.with-sound')")
    until(page, f"({PIXEL})(['[data-pictures]', .99, .5])[3] === 255")


def test_the_small_pictures_stand_at_their_times(open_room: Open, room: Room, tracks: dict[str, str]) -> None:
    room.tracks = tracks
    page = open_room()
    drawn(page)
    for share in (0.04, 0.3, 0.62, 0.96):
        found = pixel(page, "[data-pictures]", share, 0.5)
        assert min(abs(found[0] - grey) for grey in GREYS) <= 3
        assert found[0] == pytest.approx(GREYS[min(5, int(share * 6))], abs=44)  # of this tile or of a neighbour
    assert pixel(page, "[data-pictures]", 0.04, 0.5)[0] == pytest.approx(GREYS[0], abs=3)


def test_the_waveform_is_drawn_and_what_is_cut_off_is_marked(
    open_room: Open, room: Room, tracks: dict[str, str]
) -> None:
    room.tracks = tracks
    page = open_room()
    drawn(page)
    assert pixel(page, "[data-sound]", 0.25, 0.4)[3] == 0  # silence: only the middle
    assert pixel(page, "[data-sound]", 0.25, 0.501)[3] == 255
    assert pixel(page, "[data-sound]", 0.75, 0.3)[3] == 255
    assert pixel(page, "[data-sound]", 0.75, 0.2)[3] == 0
    red, green, _, _ = pixel(page, "[data-sound]", 0.995, 0.0)
    assert red > green + 40


def test_a_small_picture_follows_the_pointer(open_room: Open, room: Room, tracks: dict[str, str]) -> None:
    room.tracks = tracks
    page = open_room()
    drawn(page)
    box = page.locator("#scrub").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 30)
    until(page, "!document.getElementById('hover-tile').hidden")
    until(page, f"Math.abs(({PIXEL})(['#hover-tile', .5, .5])[0] - {GREYS[4]}) <= 3")
    assert page.locator("#hover-time").text_content() == "00:00:08:10"
    page.mouse.move(box["x"] + 10, box["y"] - 200)
    until(page, "document.getElementById('hover-tile').hidden")


def test_tracks_that_come_later_are_fetched_when_the_preview_is_complete(
    open_room: Open, room: Room, tracks: dict[str, str]
) -> None:
    room.status.settled = False
    page = open_room()
    assert not page.locator("#timeline.with-sound").count()
    room.tracks, room.status.settled = tracks, True
    drawn(page)


def test_a_timeline_without_tracks_works(open_room: Open, room: Room) -> None:
    room.tracks = {"storyboard": "missing.vtt", "waveform": "missing.json"}
    page = open_room()
    page.wait_for_timeout(300)
    assert not page.locator("#timeline.with-pictures, #timeline.with-sound").count()
    box = page.locator("#scrub").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 25)
    until(page, "rushes.player.frame === 150")
