"""`rushes upload`: files from a disk, a NAS or a camera's card into a project."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from pathlib import Path

from app.cli.api_client import Client, Progress
from app.core.errors import ConfigurationError


def run(args: Namespace) -> None:
    """Upload each file; prints the asset of each. Raises the API's errors."""
    url, token = address(args.url, Path(args.instance))
    missing = [f"{name}: no such file" for name in args.files if not Path(name).is_file()]
    if missing:
        raise ConfigurationError(missing)
    client = Client(url, token)
    for name in args.files:
        path = Path(name)
        done = client.upload(path, args.project, title=args.title, on_progress=meter(path.name))
        print(f"{path.name}: asset {done.asset_id}")


def address(url: str | None, instance: Path) -> tuple[str, str]:
    """Where to, and the token: RUSHES_URL and RUSHES_TOKEN, else those of the instance that runs here."""
    given = url or os.environ.get("RUSHES_URL"), os.environ.get("RUSHES_TOKEN")
    here = instance / "up.json"
    known = json.loads(here.read_text()) if here.exists() else {}
    found = (given[0] or known.get("url"), given[1] or (known.get("api_token") if not given[0] else None))
    faults = []
    if not found[0]:
        faults.append("RUSHES_URL is not set, and no instance runs here")
    if not found[1]:
        faults.append("RUSHES_TOKEN is not set: an API token of yours")
    if faults:
        raise ConfigurationError(faults)
    return str(found[0]), str(found[1])


def meter(name: str) -> Progress:
    """Shows the share sent and the speed, once a second at most, on a terminal and in a log alike."""
    begun, shown = time.monotonic(), 0.0

    def show(sent: int, whole: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if sent < whole and now - shown < 1:
            return
        shown = now
        speed = sent / max(now - begun, 0.001) / 1e6
        sys.stdout.write(f"{name}: {100 * sent // max(whole, 1)} % of {whole / 1e6:.1f} MB, {speed:.1f} MB/s\n")
        sys.stdout.flush()

    return show
