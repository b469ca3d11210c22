"""The player in a real browser: coded pictures prove which frame is on the screen."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from playwright.sync_api import BrowserContext, expect
from review_page import FILMS, Open, settled, show, shown, until
from review_server import Room

from app.core.timecode import Timecode

SMALL_BUFFER = """let hls; Object.defineProperty(window, "Hls", {get: () => hls, set: value => {
  hls = value; Object.assign(value.DefaultConfig, {maxBufferLength: 4, maxMaxBufferLength: 4, maxBufferSize: 1});
}});"""
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", FILMS)
def test_every_frame_that_is_asked_for_is_on_the_screen(open_room: Open, name: str) -> None:
    page = open_room(name)
    last = FILMS[name].frames - 1
    assert shown(page) == 0
    picks = [last, 0, last - 1, 1, *random.Random(7).sample(range(last), 30)]
    assert [(show(page, frame), shown(page)) for frame in picks] == [(frame, frame) for frame in picks]


@pytest.mark.parametrize("name", FILMS)
def test_the_last_frames_appear_as_the_first_thing_after_loading(open_room: Open, name: str) -> None:
    last = FILMS[name].frames - 1
    for frame in (last, last - 1):
        page = open_room(name, f"&f={frame}")
        assert shown(page) == frame == page.evaluate("rushes.player.frame")
        page.close()


def test_the_mp4_proxy_is_as_exact(room: Room, open_room: Open) -> None:
    room.mp4_only = True
    page = open_room("r2997", "&f=200")
    assert shown(page) == 200
    picks = [358, 0, 357, *random.Random(5).sample(range(358), 10)]
    assert [(show(page, frame), shown(page)) for frame in picks] == [(frame, frame) for frame in picks]


def test_a_browser_that_does_not_announce_its_pictures_is_as_exact(visitor: BrowserContext, open_room: Open) -> None:
    visitor.add_init_script("delete HTMLVideoElement.prototype.requestVideoFrameCallback")
    page = open_room("r2997", "&f=358")
    assert shown(page) == 358
    picks = random.Random(6).sample(range(358), 12)
    assert [(show(page, frame), shown(page)) for frame in picks] == [(frame, frame) for frame in picks]
    page.keyboard.press(" ")
    page.wait_for_timeout(400)
    page.keyboard.press(" ")
    expect(page.locator("#clock-input")).to_have_value(Timecode(Fraction(30000, 1001), drop=True).label(settled(page)))


def test_a_preview_that_still_grows_plays_and_then_gets_better(room: Room, open_room: Open) -> None:
    done = vars(room.status).copy()
    vars(room.status).update(code="playable", word="Building preview", kind="", progress=40, settled=False)
    room.built = 1
    page = open_room("r25", "&f=250")
    assert settled(page) == 83  # the last of one segment of 100 frames, less the pictures that are held back
    assert show(page, 40) == 40 == shown(page)
    room.built = 99
    vars(room.status).update(done)
    until(page, "rushes.player.video.videoHeight === 360")
    until(page, "rushes.player.last === 299")
    assert settled(page) == 40
    assert show(page, 299) == 299 == shown(page)


def test_a_frame_beyond_the_film_is_its_last(open_room: Open) -> None:
    page = open_room()
    assert show(page, 100_000) == 299 == shown(page)
    assert show(page, -5) == 0 == shown(page)


def test_ten_quick_steps_are_ten_frames(open_room: Open) -> None:
    page = open_room("r2997", "&f=100")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert settled(page) == 110
    page.evaluate("for (let i = 0; i < 25; i++) document.querySelector('[data-do=back]').click()")
    assert settled(page) == 85


def test_stopping_keeps_the_picture_the_clock_and_the_comment_together(open_room: Open) -> None:
    page = open_room("r2997")
    for _ in range(4):
        page.keyboard.press(" ")
        page.wait_for_timeout(random.Random(3).randrange(300, 700))
        page.keyboard.press(" ")
        frame = settled(page)
        expect(page.locator("#clock-input")).to_have_value(Timecode(Fraction(30000, 1001), drop=True).label(frame))
        assert page.locator("#frame-in").input_value() == str(frame)
    assert frame > 20


def test_a_film_that_has_ended_starts_again(open_room: Open) -> None:
    page = open_room("r25", "&f=285")
    page.keyboard.press(" ")
    until(page, "rushes.player.video.paused && rushes.player.frame > 290")
    assert settled(page) == 299
    page.keyboard.press(" ")
    until(page, "rushes.player.frame > 0 && rushes.player.frame < 200")


def test_j_k_l(open_room: Open) -> None:
    page = open_room("r25", "&f=200")
    page.keyboard.press("l")
    page.keyboard.press("l")
    expect(page.locator("#speed")).to_have_text("2×")
    page.keyboard.press("k")
    start = settled(page)
    page.keyboard.press("j")
    expect(page.locator("#speed")).to_have_text("−1×")
    page.wait_for_timeout(1000)
    page.keyboard.press("k")
    assert 10 <= start - settled(page) <= 45
    expect(page.locator("#speed")).to_be_hidden()


def test_a_token_that_ends_in_mid_film_is_renewed_without_a_stop(
    room: Room, visitor: BrowserContext, open_room: Open
) -> None:
    visitor.add_init_script(SMALL_BUFFER)
    page = open_room()
    page.evaluate("window.waits = 0; rushes.player.video.addEventListener('waiting', () => waits++)")
    page.keyboard.press("l")
    page.keyboard.press("l")
    until(page, "rushes.player.frame > 20")
    asked = room.asked  # by the player, and by the tracks for their pictures
    room.valid.clear()
    until(page, "rushes.player.frame > 250")
    assert page.evaluate("waits") == 0
    assert room.refused >= 1
    assert asked < room.asked <= asked + 2  # the player once; the tracks once more for pictures they still lack
    expect(page.locator("#stage-note")).to_be_hidden()


def test_a_withdrawn_version_says_so(room: Room, visitor: BrowserContext, open_room: Open) -> None:
    visitor.add_init_script(SMALL_BUFFER)
    page = open_room()
    room.valid.clear()
    room.revoked = True
    page.evaluate("void rushes.player.show(290)")
    expect(page.locator("#stage-note")).to_contain_text("You can no longer watch this")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_lost_media_offers_another_try(room: Room, open_room: Open) -> None:
    films, room.media = room.media, room.media / "nothing"
    page = open_room(wait=False)
    expect(page.locator("#stage-note")).to_contain_text("could not be loaded", timeout=20_000)
    room.media = films
    page.get_by_role("button", name="Try again").click()
    until(page, "rushes.player.opened && rushes.player.wanted === null")
    expect(page.locator("#stage-note")).to_be_hidden()
    assert settled(page) == 0


def test_a_rendition_can_be_chosen_on_a_still_picture(open_room: Open) -> None:
    page = open_room("r25", "&f=77")
    page.locator("#quality summary").click()
    page.get_by_role("button", name="180p").click()
    until(page, "rushes.player.video.videoHeight === 180")
    assert settled(page) == 77
    expect(page.locator("#quality summary")).to_have_text("180p")
