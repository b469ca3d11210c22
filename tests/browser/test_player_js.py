"""The review room in a real browser: coded pictures prove which frame is on the screen, a small server keeps the
room's promises. What the page says of itself is never taken for what it shows."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from review_media import Film, make
from review_server import Room, serve

from app.core.timecode import Timecode

ROOT = Path(__file__).parents[2]
FILMS = {
    film.name: film for film in (Film("r25", Fraction(25), 300), Film("r2997", Fraction(30000, 1001), 359))
}
PICTURE = """() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 180});
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.drawImage(document.querySelector("video"), 0, 0, 320, 180);
  const data = pen.getImageData(0, 0, 320, 40).data;
  let number = 0;
  for (let i = 0; i < 16; i++) {
    const [bit, inverse] = [10, 30].map(y => data[(y * 320 + i * 20 + 10) * 4]);
    if (Math.abs(bit - inverse) < 60) return -1;
    number = number * 2 + (bit > inverse ? 1 : 0);
  }
  return number;
}"""
SMALL_BUFFER = """let hls; Object.defineProperty(window, "Hls", {get: () => hls, set: value => {
  hls = value; Object.assign(value.DefaultConfig, {maxBufferLength: 4, maxMaxBufferLength: 4, maxBufferSize: 1});
}});"""
Open = Callable[..., Page]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / "static/vendor/hls.min.js").is_file():
        pytest.fail("static/vendor is empty: run bin/vendor")
    folder = tmp_path_factory.mktemp("media")
    for film in FILMS.values():
        make(film, folder / film.name, heights=(360, 180) if film.name == "r25" else (360,))
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture
def room(media: Path) -> Room:
    return Room(media, FILMS)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def open_room(room: Room, context: BrowserContext) -> Iterator[Open]:
    """Opens a page of the room and waits for its player; at the end no script may have failed or been blocked."""
    complaints: list[str] = []

    def open_room(name: str = "r25", query: str = "", *, wait: bool = True) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security Policy" in line.text else None,
        )
        page.goto(f"{origin}/assets/{name}/review?v=2{query}")
        if wait:
            until(page, "window.rushes")
            within(page, "rushes.player.ready")
        return page

    with serve(room) as origin:
        yield open_room
    assert complaints == []


def until(page: Page, condition: str, limit: float = 10) -> None:
    """Waits for a condition in the page; Playwright's own way needs an eval that the page's policy forbids."""
    ends = time.monotonic() + limit
    while not page.evaluate(f"!!({condition})"):
        assert time.monotonic() < ends, f"never happened: {condition}"
        page.wait_for_timeout(20)


def within(page: Page, promise: str, limit: int = 10) -> Any:
    """What `promise` comes to in the page; it fails when that takes longer than `limit` seconds."""
    late = f"new Promise((_, no) => setTimeout(no, {limit * 1000}, new Error('too late')))"
    return page.evaluate(f"Promise.race([{promise}, {late}])")


def shown(page: Page) -> int:
    """The frame in the picture, read from its pixels."""
    number: int = page.evaluate(PICTURE)
    return number


def show(page: Page, frame: int) -> int:
    """Asks for `frame`; gives what the player believes to show."""
    believed: int = within(page, f"rushes.player.show({frame})")
    return believed


def settled(page: Page) -> int:
    """What the player shows when all that was asked for is done."""
    until(page, "rushes.player.wanted === null && !rushes.player.running && rushes.player.video.paused")
    frame: int = page.evaluate("rushes.player.frame")
    assert shown(page) == frame
    return frame


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


def test_a_browser_that_does_not_announce_its_pictures_is_as_exact(
    context: BrowserContext, open_room: Open
) -> None:
    context.add_init_script("delete HTMLVideoElement.prototype.requestVideoFrameCallback")
    page = open_room("r2997", "&f=358")
    assert shown(page) == 358
    picks = random.Random(6).sample(range(358), 12)
    assert [(show(page, frame), shown(page)) for frame in picks] == [(frame, frame) for frame in picks]
    page.keyboard.press(" ")
    page.wait_for_timeout(400)
    page.keyboard.press(" ")
    expect(page.locator("#clock-input")).to_have_value(
        Timecode(Fraction(30000, 1001), drop=True).label(settled(page))
    )


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


def test_stopping_keeps_the_picture_the_clock_and_the_comment_together(open_room: Open) -> None:
    page = open_room("r2997")
    for _ in range(4):
        page.keyboard.press(" ")
        page.wait_for_timeout(random.Random(3).randrange(300, 700))
        page.keyboard.press(" ")
        frame = settled(page)
        expect(page.locator("#clock-input")).to_have_value(
            Timecode(Fraction(30000, 1001), drop=True).label(frame)
        )
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


def test_dragging_on_the_timeline_ends_on_the_frame_under_the_pointer(open_room: Open) -> None:
    page = open_room()
    box = page.locator("#scrub").bounding_box()
    assert box
    page.mouse.move(box["x"] + 5, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5 + 0.4, box["y"] + 30, steps=12)
    page.mouse.up()
    assert settled(page) == 150
    slider = page.get_by_role("slider", name="Position in the film")
    expect(slider).to_have_attribute("aria-valuetext", "00:00:06:00")
    slider.press("PageDown")
    assert settled(page) == 0


def test_a_token_that_ends_in_mid_film_is_renewed_without_a_stop(
    room: Room, context: BrowserContext, open_room: Open
) -> None:
    context.add_init_script(SMALL_BUFFER)
    page = open_room()
    page.evaluate("window.waits = 0; rushes.player.video.addEventListener('waiting', () => waits++)")
    page.keyboard.press("l")
    page.keyboard.press("l")
    room.valid.clear()
    until(page, "rushes.player.frame > 250")
    assert page.evaluate("waits") == 0
    assert room.refused >= 1
    assert room.asked == 2
    expect(page.locator("#stage-note")).to_be_hidden()


def test_a_withdrawn_version_says_so(room: Room, context: BrowserContext, open_room: Open) -> None:
    context.add_init_script(SMALL_BUFFER)
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


def test_a_comment_is_about_the_frame_on_the_screen(room: Room, open_room: Open) -> None:
    page = open_room("r25", "&f=30")
    page.keyboard.press("l")
    until(page, "rushes.player.frame > 60")
    page.keyboard.press("n")
    page.keyboard.type("Down half a stop")
    frame = settled(page)
    show(page, 200)
    assert page.locator("#frame-in").input_value() == str(frame)
    expect(page.locator("#at-current")).to_have_text("Use 00:00:08:00")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".note .said")).to_have_text("Down half a stop")
    assert [(form["frame_in"], form["body"], form["version_id"]) for form in room.posted] == [
        (str(frame), "Down half a stop", "version-r25")
    ]
    expect(page.locator("#comment-body")).to_have_value("")
    expect(page.locator("[data-mark]")).to_have_count(1)
    assert page.locator("#frame-in").input_value() == "200"


def test_a_draft_outlives_a_failed_post_a_poll_and_a_reload(room: Room, open_room: Open) -> None:
    room.post_status = 500
    page = open_room("r25", "&f=30")
    text = page.locator("#comment-body")
    text.press_sequentially("Keep the halo")
    text.press("Control+Enter")
    expect(page.locator("#comment-error")).to_contain_text("not stored")
    room.add(40, "From somebody else")
    page.evaluate("htmx.trigger('#comments', 'every')")
    expect(page.locator(".note")).to_have_count(1)
    expect(page.locator("[data-mark]")).to_have_count(1)
    expect(page.locator("#comments-news")).to_have_text("New comment by Aiko Sandoval at 00:00:01:15")
    expect(text).to_be_focused()
    page.reload()
    until(page, "window.rushes")
    expect(text).to_have_value("Keep the halo")
    room.post_status = 422
    text.press("Control+Enter")
    expect(page.locator("#comment-error")).to_have_text("Write at most 10 characters.")
    expect(page.locator(".note")).to_have_count(1)
    room.post_status = 200
    text.press("Control+Enter")
    expect(page.locator(".note")).to_have_count(2)
    expect(page.locator("#comment-error")).to_be_hidden()
    assert room.posted[-1]["frame_in"] == "30"
    page.reload()
    expect(text).to_have_value("")


def test_a_poll_on_its_way_does_not_undo_a_post(room: Room, open_room: Open) -> None:
    page = open_room()
    room.poll_delay = 0.6
    page.evaluate("htmx.trigger('#comments', 'every')")
    page.locator("#comment-body").fill("Newer than the poll")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".note")).to_have_count(1)
    page.wait_for_timeout(900)
    expect(page.locator(".note")).to_have_count(1)


def test_timecodes_marks_and_keys_go_to_their_frame_without_a_reload(room: Room, open_room: Open) -> None:
    for frame in (40, 120, 200):
        room.add(frame, f"About {frame}")
    page = open_room()
    page.evaluate("window.here = true")
    page.locator(".note .tc").nth(1).click()
    assert settled(page) == 120
    expect(page.locator(".note[data-here]")).to_contain_text("About 120")
    expect(page.locator(".mark.here")).to_have_count(1)
    page.locator("[data-mark]").nth(2).click()
    assert settled(page) == 200
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert settled(page) == 40
    assert page.evaluate("here")
    assert re.search(r"f=40#comment-c\d+$", page.url)
    page.evaluate("htmx.trigger('#comments', 'every')")
    page.wait_for_timeout(300)
    expect(page.locator(".note[data-here]")).to_have_count(1)


def test_own_comments_can_be_deleted(room: Room, open_room: Open) -> None:
    room.add(40, "Theirs")
    room.add(50, "Mine", mine=True)
    page = open_room()
    page.get_by_text("Delete", exact=True).click()
    page.evaluate("htmx.trigger('#comments', 'every')")
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Delete the comment").click()
    expect(page.locator(".note .said")).to_have_text("Theirs")
    assert [comment["body"] for comment in room.comments] == ["Theirs"]


def test_the_player_starts_by_itself_when_the_preview_is_ready(room: Room, open_room: Open) -> None:
    done = vars(room.status).copy()
    room.ready = False
    vars(room.status).update(code="building", word="Building preview", kind="", progress=18, settled=False)
    page = open_room("r25", "&f=50", wait=False)
    expect(page.locator("#preview-status")).to_contain_text("Building preview")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_hidden()
    page.evaluate("window.here = true")
    room.ready = True
    vars(room.status).update(done)
    until(page, "window.rushes && rushes.player.opened")
    assert settled(page) == 50
    assert page.evaluate("here")
    expect(page.locator("#preview-status")).to_be_empty()
    assert page.locator("#preview-status").get_attribute("hx-trigger") is None


def test_without_javascript_a_comment_can_be_read_and_written(room: Room, chromium: Browser) -> None:
    room.add(40, "Theirs")
    context = chromium.new_context(java_script_enabled=False)
    with serve(room) as origin:
        page = context.new_page()
        page.goto(f"{origin}/assets/r25/review?v=2&f=40")
        expect(page.locator("#transport")).to_be_hidden()
        expect(page.get_by_label("At frame")).to_have_value("40")
        page.get_by_label("At frame").fill("77")
        page.locator("#comment-body").fill("By hand")
        page.get_by_role("button", name="Post").click()
        page.wait_for_url("**f=77")
        expect(page.locator(".note")).to_have_count(2)
    context.close()
    assert room.posted[0]["frame_in"] == "77"


RATES = [(24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1)]


def test_timecode_counts_as_on_the_server(open_room: Open) -> None:
    page = open_room()
    chance = random.Random(1)
    cases = []
    for num, den in RATES:
        for drop in (False, True)[: 2 if den == 1001 and num > 24000 else 1]:
            timecode = Timecode(Fraction(num, den), drop)
            per_day = timecode.frames_per_day
            edges = [
                0,
                1,
                *(m * 60 * round(num / den) + d for m in (1, 2, 9, 10, 11, 60) for d in range(-22, 5)),
                per_day - 1,
                per_day,
            ]
            frames = edges + [chance.randrange(per_day) for _ in range(200)]
            cases.append(
                [{"num": num, "den": den, "drop": drop}, frames, [timecode.label(frame) for frame in frames]]
            )
    wrong = page.evaluate(
        """async cases => {
          const { Timecode } = await import("/static/js/timecode.js");
          return cases.flatMap(([source, frames, labels]) => {
            const timecode = new Timecode(source);
            return frames.flatMap((frame, i) => timecode.label(frame) === labels[i]
              && timecode.frame(labels[i]) === frame % timecode.perDay ? [] : [[source, frame, labels[i], timecode.label(frame)]]);
          });
        }""",
        cases,
    )
    assert wrong == []


def test_dropped_labels_stand_for_the_next_that_exists(open_room: Open) -> None:
    page = open_room()
    answers = page.evaluate(
        """async () => {
          const { Timecode } = await import("/static/js/timecode.js");
          const drop = new Timecode({num: 30000, den: 1001, drop: true});
          return [drop.frame("00:01:00;00"), drop.parse("1:00;00"), drop.parse("1:00;02"), drop.parse("1:60:00"), drop.length(1800)];
        }"""
    )
    assert answers == [None, 1800, 1800, None, "00:01:00:00"]


def test_a_page_nobody_looks_at_does_not_poll(room: Room, open_room: Open) -> None:
    page = open_room()
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    room.add(40, "Unseen")
    page.evaluate("htmx.trigger('#comments', 'every')")
    time.sleep(0.4)
    expect(page.locator(".note")).to_have_count(0)
