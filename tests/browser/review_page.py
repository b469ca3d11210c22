"""What the tests of the review room ask of its page. What the page says of itself is never taken for what it shows."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from playwright.sync_api import Page
from review_media import Film

FILMS = {film.name: film for film in (Film("r25", Fraction(25), 300), Film("r2997", Fraction(30000, 1001), 359))}
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
Open = Callable[..., Page]


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
