"""`rushes demo`: the sample that `rushes up` shows, drawn here and sent the way every file goes.

Each step is written down, so that one that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from app.cli.api_client import Client
from app.cli.upload import address, meter
from app.core.errors import NotFound, Rejected
from app.stack.files import private_folder, write_private

_EVERY = 20  # percent between two lines
TITLE = "Dusk over the ridges"


def run(args: Namespace) -> None:
    """Draw the clip, upload it, wait for its previews; the last line printed is `{assetId, state}`."""
    folder = private_folder(Path(args.instance).resolve() / "demo")
    url, token = address(None, folder.parent)
    client = Client(url, token)
    notes = _Notes(folder / "progress.json")
    if not notes.get("assetId"):
        notes.set("assetId", _send(client, args.project, folder, notes))
    asset_id = str(notes.get("assetId"))
    last = ("", 0)

    def show(status: dict[str, Any]) -> None:
        nonlocal last
        step, done = str(status.get("step") or status["state"]), round(float(status.get("progress") or 0))
        if step != last[0] or done >= last[1] + _EVERY:
            _say(f"{step} {done} %")
            last = (step, done)

    status = client.follow(asset_id, show, limit=float(os.environ.get("DEMO_LIMIT", "900")))
    (folder / "clip.mov").unlink(missing_ok=True)
    _say(json.dumps({"assetId": asset_id, "state": status["state"], "error": status.get("error")}))


class _Notes:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str) -> Any:
        return self._notes.get(name)

    def set(self, name: str, value: Any) -> None:
        self._notes[name] = value
        write_private(self._path, json.dumps(self._notes))


def _send(client: Client, project_id: str, folder: Path, notes: _Notes) -> str:
    from app.media import tools
    from app.media.demo_clip import make_demo_clip

    clip = folder / "clip.mov"
    if not notes.get("drawn") or not clip.exists():
        _say("drawing the clip")
        make_demo_clip(tools.locate(), clip)
        notes.set("drawn", True)
        notes.set("uploadId", None)
    upload_id = notes.get("uploadId")
    begun = lambda identity: notes.set("uploadId", identity)  # noqa: E731
    try:
        done = client.upload(
            clip, project_id, title=TITLE, upload_id=upload_id, on_progress=meter("uploading"), on_begun=begun
        )
    except (NotFound, Rejected):
        if not upload_id:
            raise
        done = client.upload(clip, project_id, title=TITLE, on_progress=meter("uploading"), on_begun=begun)
    return str(done.asset_id)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
