"""A client without an account: a link with a password, on a phone; and the owner who sees it and closes it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys.test_main_job import on_screen, sign_in
from tests.support.api import client
from tests.support.coded_film import write_film
from tests.support.running import Running

pytestmark = pytest.mark.browser
NewContext = Callable[..., BrowserContext]
PASSWORD = "brass lantern"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def film(stack: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An asset that plays."""
    api = client(stack)
    file = write_film(tmp_path_factory.mktemp("film") / "reel_2_v04.mp4", frames=150, size=(640, 360))
    done = api.send(file.read_bytes(), project_id=stack.project_id, title="Northbound, reel 4")
    assert api.wait(done["assetId"])["state"] == "complete"
    return str(done["assetId"])


def test_a_client_watches_on_a_phone_and_is_shut_out(new_context: NewContext, stack: Running, film: str) -> None:
    owner = new_context(base_url=stack.url, viewport={"width": 1440, "height": 900}).new_page()
    faults: list[str] = []
    sign_in(owner, stack)
    link = make_the_share(owner, film)
    guest = new_context(base_url=stack.url, **PHONE).new_page()
    for page in (owner, guest):
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
    come_in(guest, link)
    watch_and_comment(guest)
    the_owner_sees_it(owner, film)
    revoke(owner)
    shut_out(guest, link)
    assert not faults


def make_the_share(owner: Page, film: str) -> str:
    owner.goto(f"/assets/{film}")
    owner.get_by_role("link", name="Share", exact=True).click()
    expect(owner.get_by_label("Northbound, reel 4")).to_be_checked()
    owner.get_by_role("button", name="Make the link").click()
    expect(owner.get_by_text("Give the share a name.")).to_be_visible()  # 422, and the choice is still there
    expect(owner.get_by_label("Northbound, reel 4")).to_be_checked()
    owner.get_by_label("Name", exact=True).fill("Brightwater Films")
    owner.get_by_label("Password").fill(PASSWORD)
    owner.get_by_role("button", name="Make the link").click()
    expect(owner.get_by_role("heading", name="Brightwater Films")).to_be_visible()
    expect(owner.get_by_text("Nobody came yet")).to_be_visible()
    link = owner.locator("#share-link").inner_text()
    assert re.search(r"/s/[A-Za-z0-9_-]{43}$", link)
    return link


def come_in(guest: Page, link: str) -> None:
    guest.goto(link)
    expect(guest.get_by_text("Northbound")).to_have_count(0)  # a locked link tells nothing
    guest.get_by_label("Your name").fill("Marit Okafor")
    guest.get_by_label("Password").fill("brass lamp")
    guest.get_by_role("button", name="Watch").click()
    expect(guest.get_by_role("alert")).to_contain_text("This is not the password")
    expect(guest.get_by_label("Your name")).to_have_value("Marit Okafor")
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_role("button", name="Watch").click()
    expect(guest.get_by_role("heading", name="Northbound, reel 4")).to_be_visible()


def watch_and_comment(guest: Page) -> None:
    guest.wait_for_function("() => window.rushes?.player")
    guest.evaluate("() => window.rushes.player.ready")
    guest.evaluate("() => window.rushes.player.show(42)")
    assert on_screen(guest) == 42
    guest.get_by_label("Comment on this frame").fill("The logo comes too late.")
    guest.get_by_role("button", name="Post").click()
    note = guest.locator("article.note")
    expect(note).to_contain_text("Marit Okafor")
    expect(note.locator("a.tc")).to_have_text("10:00:01:17")
    guest.locator("[data-do=toggle]").click()
    guest.wait_for_function("() => window.rushes.player.frame > 60", timeout=15_000)
    width = guest.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], "the page is wider than the phone"


def the_owner_sees_it(owner: Page, film: str) -> None:
    visits = owner.locator("#visits")  # it polls
    expect(visits.get_by_text("Commented on Northbound, reel 4 at 10:00:01:17")).to_be_visible(timeout=15_000)
    for words in ("Marit Okafor", "Came in with the password", "Wrong password", "127.0.0.1"):
        expect(visits.get_by_text(words).first).to_be_visible()
    address = owner.url
    owner.goto(f"/assets/{film}/review")
    expect(owner.locator("article.note")).to_contain_text("The logo comes too late.")
    expect(owner.locator("article.note")).to_contain_text("Guest")
    owner.goto(address)


def revoke(owner: Page) -> None:
    owner.get_by_text("Revoke", exact=True).click()
    owner.get_by_role("button", name="Revoke the share").click()
    expect(owner.get_by_text("The link is closed")).to_be_visible()


def shut_out(guest: Page, link: str) -> None:
    """The open page goes to the closed one by itself, with its next poll; so does every other page of the link."""
    expect(guest.get_by_role("heading", name="This link is closed")).to_be_visible(timeout=8_000)
    guest.goto(link + "/assets")
    expect(guest.get_by_role("heading", name="This link is closed")).to_be_visible()
    expect(guest.get_by_text("Northbound")).to_have_count(0)


def test_media_of_a_revoked_share_dies_within_a_second(new_context: NewContext, stack: Running, film: str) -> None:
    api = client(stack)
    body = {"projectId": stack.project_id, "name": "Media", "assetIds": [film]}
    status, share = api.call("POST", "/api/shares", body)
    assert status == 201
    guest = new_context(base_url=stack.url, **PHONE).new_page()
    guest.goto(share["link"])
    guest.get_by_label("Your name").fill("Ada")
    guest.get_by_role("button", name="Watch").click()
    guest.wait_for_function("() => window.rushes?.player")
    with guest.expect_response(re.compile(r"\.m4s$")) as first:
        guest.evaluate("() => window.rushes.player.ready")
    segment = first.value.url
    assert api.http.request("GET", segment).status == 200
    assert api.call("DELETE", f"/api/shares/{share['id']}")[0] == 204
    revoked = time.monotonic()
    while api.http.request("GET", segment).status == 200:
        assert time.monotonic() - revoked < 1, "still served a second after it was revoked"
        time.sleep(0.02)
    assert api.http.request("GET", segment).status == 403
