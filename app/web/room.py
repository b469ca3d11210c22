"""What a member's and a guest's room have in common."""

from __future__ import annotations

from typing import Any, TypedDict

from flask import request

from app.core.errors import Rejected
from app.models import Preview
from app.workflows.grant_playback import Playback
from app.workflows.post_comment import Remark


class FilmFacts(TypedDict):
    """What the player must know of a preview, as fields of RoomView."""

    rate_num: int
    rate_den: int
    frame_count: int | None
    start_frame: int
    drop_frame: bool
    width: int
    height: int
    has_audio: bool
    growing: bool
    ready: bool
    first_frame: int
    has_storyboard: bool
    has_waveform: bool


def film_facts(preview: Preview | None) -> FilmFacts:
    """The frame grid, the size and the sound of a preview, and the frame at which the request opens the room."""
    probe = (preview.probe if preview else None) or {}
    plan = (preview.plan if preview else None) or {}
    size = (plan.get("renditions") or [{}])[0]
    return {
        "rate_num": (preview.rate_num if preview else None) or 25,
        "rate_den": (preview.rate_den if preview else None) or 1,
        "frame_count": preview.frame_count if preview else None,
        "start_frame": preview.start_frame if preview else 0,
        "drop_frame": preview.drop_frame if preview else False,
        "width": int(size.get("width") or 16),
        "height": int(size.get("height") or 9),
        "has_audio": bool(probe.get("audio")),
        "growing": False,  # a preview is published whole
        "ready": preview is not None and preview.state in ("playable", "ready"),
        "first_frame": _first_frame(preview.frame_count if preview else None),
        "has_storyboard": preview is not None and preview.has_storyboard,
        "has_waveform": preview is not None and preview.has_waveform,
    }


def playback_body(granted: Playback | None) -> dict[str, Any]:
    """Signed addresses and how long they live, as the player asks for them."""
    names = ("hls", "mp4", "poster", "storyboard", "waveform", "token")
    body: dict[str, Any] = {name: getattr(granted, name, None) for name in names}
    body["expiresIn"] = granted.expires_in if granted else None
    return body


def posted_remark() -> Remark:
    """What the composer sent. Raises Rejected for a frame that is no number."""
    return Remark(
        frame_in=posted_frame("frame_in") or 0,
        frame_out=posted_frame("frame_out"),
        body=request.form.get("body", ""),
    )


def posted_frame(name: str) -> int | None:
    """A frame from the form; None when the field is empty. Raises Rejected."""
    text = request.form.get(name, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Rejected("bad_frame", "A frame is a whole number.", fields={name: "is not a number"})
    return int(text)


def _first_frame(frame_count: int | None) -> int:
    text = request.form.get("frame_in") or request.args.get("f", "")
    frame = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return min(frame, (frame_count or 1) - 1)
