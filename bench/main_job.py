"""bin/bench main-job: from a fresh copy of the tree to a film that plays.

A copy without an environment is started (packages come from pip's and npm's caches), started again, left
alone, and given a clip of a minute: 1080p25 H.264, test picture and noise, 12 Mb/s. Times of the clip count
from the answer to `complete`. Figures:

fresh_start_s         bin/up in the fresh copy until up.json, installation of packages included, no demo
restart_s             the same again
upload_to_promoted_s  until the master is locked and read back
upload_to_playable_s  until something plays
upload_to_ready_s     until the whole ladder is there
idle_rss_mb           resident memory of all processes, added up ten seconds after the restart; pages that
                      processes share count in each (the table has the proportional sum too)
install_mb            what the installation put on the disk: .venv, node_modules, vendor
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.cli.api_client import Client  # noqa: E402
from app.media import tools  # noqa: E402
from app.stack import logs  # noqa: E402
from tests.support.processes import descendants  # noqa: E402
from tests.support.running import Running  # noqa: E402

_IDLE = 10.0
_LIMIT = 900.0
_WHAT = {
    "fresh_start_s": "fresh copy to ready, packages from caches (s)",
    "restart_s": "second start to ready (s)",
    "upload_to_promoted_s": "upload complete to promoted (s)",
    "upload_to_playable_s": "upload complete to playable (s)",
    "upload_to_ready_s": "upload complete to ready (s)",
    "idle_rss_mb": "resident memory at rest, all processes (MB)",
    "install_mb": "installed packages on disk (MB)",
}


def main() -> None:
    """Run it and print the table and the line of figures."""
    with tempfile.TemporaryDirectory(prefix="rushes-bench-") as name:
        folder = Path(name)
        figures, pss = _measure(folder)
    width = max(map(len, _WHAT.values()))
    for key, text in _WHAT.items():
        print(f"{text:<{width}}  {figures[key]:8.1f}")
    print(f"{'  of it proportional, shared pages counted once (MB)':<{width}}  {pss:8.1f}")
    print(json.dumps({"bench": "main-job", "figures": figures}))


def _measure(folder: Path) -> tuple[dict[str, float], float]:
    tree = _copy(folder / "tree")
    running = Running(folder / "instance", "--no-demo", command=(str(tree / "bin" / "up"),))
    figures: dict[str, float] = {}
    try:
        figures["fresh_start_s"] = _start(running, within=600)
        running.stop()
        figures["restart_s"] = _start(running, within=120)
        time.sleep(_IDLE)
        figures["idle_rss_mb"], pss = _memory(running.pid)
        figures |= _film(running, _clip(folder / "clip.mp4"))
        installed = (tree / ".venv", tree / "static" / "node_modules", tree / "static" / "vendor")
        figures["install_mb"] = sum(map(_size, installed)) / 1e6
    finally:
        running.stop()
    return {key: round(figures[key], 2) for key in _WHAT}, pss


def _copy(to: Path) -> Path:
    """The tree as a clone would have it: what git knows or would take, nothing that was installed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    return to


def _start(running: Running, *, within: float) -> float:
    begun = time.monotonic()
    running.start(within=within)
    return time.monotonic() - begun


def _memory(pid: int) -> tuple[float, float]:
    """Resident and proportional memory in MB (proc(5), smaps_rollup) of a process and all below it."""
    rss = pss = 0
    for each in (pid, *descendants(pid)):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
        rss, pss = rss + sizes["Rss"], pss + sizes["Pss"]
    return rss / 1000, pss / 1000


def _clip(path: Path) -> Path:
    subprocess.run(
        [
            tools.locate().ffmpeg, "-nostdin", "-v", "error",
            "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25,noise=alls=6:allf=t,format=yuv420p",
            "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", "60",
            "-c:v", "libx264", "-preset", "veryfast", "-b:v", "12M", "-maxrate", "12M", "-bufsize", "24M", "-g", "50",
            "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", str(path),
        ],
        check=True, timeout=600,
    )  # fmt: skip
    return path


def _film(running: Running, clip: Path) -> dict[str, float]:
    client = Client(running.url, running.api_token)
    uploaded = client.upload(clip, running.project_id, title="A minute")
    begun = time.monotonic()
    figures: dict[str, float] = {}
    while "upload_to_ready_s" not in figures and time.monotonic() - begun < _LIMIT:
        version: dict[str, Any] = client.call("GET", f"/api/assets/{uploaded.asset_id}")["versions"][0]
        now, preview = time.monotonic() - begun, (version["preview"] or {}).get("state")
        if version["state"] in ("rejected", "failed") or preview in ("failed", "unsupported"):
            reason = version.get("error") or version["preview"]["reason"]
            worker = logs.tail(running.folder / "logs" / "worker.log", 40)
            raise SystemExit(f"the clip did not get through: {reason}\n{worker}")
        if version["state"] == "promoted":
            figures.setdefault("upload_to_promoted_s", now)
        if preview in ("playable", "ready"):
            figures.setdefault("upload_to_playable_s", now)
        if preview == "ready":
            figures.setdefault("upload_to_ready_s", now)
        time.sleep(0.05)
    return figures


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink() and path.is_file())


if __name__ == "__main__":
    main()
