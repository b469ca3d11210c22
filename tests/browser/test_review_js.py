"""The review room in a real browser: comments, the timeline, what is said when nothing plays yet."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect
from review_page import Open, settled, show, until
from review_server import Room, serve

pytestmark = pytest.mark.browser


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
    page.get_by_role("button", name="Next comment").click()
    assert settled(page) == 120
    page.get_by_role("button", name="Previous comment").click()
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
    expect(page.locator(".note .said")).to_have_text(["Theirs"])
    expect(page.locator("#comments .thread-list")).to_be_focused()
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


def test_a_page_nobody_looks_at_does_not_poll(room: Room, open_room: Open) -> None:
    page = open_room()
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    room.add(40, "Unseen")
    page.evaluate("htmx.trigger('#comments', 'every')")
    page.wait_for_timeout(400)
    expect(page.locator(".note")).to_have_count(0)
