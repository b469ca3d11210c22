"""The clip that a fresh installation shows is a proper master."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from app.media.demo_clip import make_demo_clip
from app.media.tools import Tools
from tests.media.building import probed


@pytest.mark.slow
def test_the_demo_clip(tools: Tools, tmp_path: Path) -> None:
    path = make_demo_clip(tools, tmp_path / "demo.mov")
    assert path.stat().st_size < 30_000_000
    probe = probed(tools, path)
    assert (probe.rate, probe.frame_count, probe.trusted) == ("25/1", 500, True)
    assert (probe.start_timecode, probe.timecode.label(260)) == ("10:00:00:00", "10:00:10:10")
    assert probe.video
    assert probe.video.display == (1920, 1080)
    assert (probe.video.color_matrix, probe.video.color_range) == ("bt709", "tv")
    assert [track.channels for track in probe.audio] == [2]
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-i", str(path), "-vf", "select=eq(n\\,120)+eq(n\\,380)"]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    dusk, dawn = np.frombuffer(raw, np.uint8).reshape(2, 1080, 1920).astype(int)
    assert dusk.mean() + 20 < dawn.mean()
    assert min(dusk.std(), dawn.std()) > 15
