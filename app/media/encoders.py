"""NVENC or x264: chosen by encoding a few frames, since "compiled in" does not mean "works"."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.media.facts import JsonRecord
from app.media.tools import Tools

TEST_SECONDS = 20.0
Name = Literal["h264_nvenc", "libx264"]

_TEST_SOURCE = ("-f", "lavfi", "-i", "testsrc2=s=640x360:r=25:d=0.4")
_NVENC = (
    ("preset", "p4"), ("tune", "hq"), ("rc", "vbr"), ("cq", "23"), ("bf", "2"), ("no-scenecut", "1"),
    ("forced-idr", "1"), ("strict_gop", "1"), ("profile:v", "high"),
)  # fmt: skip
_X264 = (
    ("preset", "veryfast"), ("crf", "23"), ("profile:v", "high"), ("bf", "3"), ("sc_threshold", "0"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoder(JsonRecord):
    """The H.264 encoder of this worker; `device` is the GPU's number for NVENC. `reason` is for people."""

    name: Name
    device: str | None
    reason: str

    def options(self, *, gop: int, maxrate: int) -> dict[str, str]:
        """Output options by name for closed GOPs of `gop` frames and at most `maxrate` kbit/s.

        They are the same for every chunk of a rendition, so that all chunks share one init segment.
        """
        common = {
            "c:v": self.name,
            "g": str(gop),
            "maxrate": f"{maxrate}k",
            "bufsize": f"{2 * maxrate}k",
            "pix_fmt": "yuv420p",
        }
        if self.name == "h264_nvenc":
            return {**common, **dict(_NVENC), "gpu": self.device or "0"}
        return {**common, **dict(_X264), "keyint_min": str(gop)}


X264 = Encoder("libx264", None, "x264 on the processor: no GPU is configured")


def choose(tools: Tools, gpu_device: str | None) -> Encoder:
    """NVENC on GPU number `gpu_device` where a test encode works, else x264."""
    if gpu_device is None or gpu_device.strip().lower() in ("", "none", "cpu", "off"):
        return X264
    device = gpu_device.strip().removeprefix("cuda:")
    nvenc = Encoder("h264_nvenc", device, f"NVENC on GPU {device}: the test encode worked")
    fault = test(tools, nvenc)
    return nvenc if fault is None else Encoder("libx264", None, f"x264 on the processor: NVENC failed ({fault})")


def test(tools: Tools, encoder: Encoder) -> str | None:
    """None when a few frames can be encoded with exactly the options of a build, else the first complaint."""
    options = [part for name, value in encoder.options(gop=5, maxrate=1000).items() for part in (f"-{name}", value)]
    command = [tools.ffmpeg, "-nostdin", "-v", "error", *_TEST_SOURCE, *options, "-f", "null", "-"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TEST_SECONDS,
            check=False,
            cwd=Path("/"),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__
    if done.returncode == 0:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[0].split("] ", 1)[-1][:120] if lines else f"exit code {done.returncode}"
