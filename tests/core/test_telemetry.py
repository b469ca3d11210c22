"""What must never reach a log is cut from it."""

from __future__ import annotations

import pytest

from app.core.telemetry import scrub

TOKEN = "q" * 43


@pytest.mark.parametrize(
    "text",
    [
        f"GET /s/{TOKEN}",
        f"GET /s/{TOKEN}/assets?f=3 HTTP/1.1",
        f"Referer: https://review.example/s/{TOKEN}/assets/1",
        f'{{"path": "/s/{TOKEN}"}}',
        f"url('/s/{TOKEN}')",
        f"/s/{TOKEN}#comment-1",
        f"/v/1795234763.v0123456789012.k1.{TOKEN}/hls/x",
    ],
)
def test_links_of_shares_and_edge_tokens_are_cut(text: str) -> None:
    assert TOKEN not in scrub(text)
    assert scrub(scrub(text)) == scrub(text)


def test_other_paths_stay() -> None:
    assert scrub("GET /shares/1/visits and /static/js/x.js") == "GET /shares/1/visits and /static/js/x.js"
