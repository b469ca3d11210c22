"""The clip that a fresh installation shows: twenty seconds, two shots, its frame number in the picture.

Everything in it is drawn and sounded here, so it carries nobody's rights. It is a master such as a post house
delivers: 1920 × 1080, 25 frames a second, H.264 and AAC in QuickTime, timecode from 10:00:00:00.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.core.errors import Unavailable
from app.core.timecode import Timecode
from app.media.demo_scene import DUSK, FIRST_LIGHT, Layer, shot
from app.media.tools import Tools

RATE = 25
SHOTS = ((DUSK, 10), (FIRST_LIGHT, 10))
"""Each shot's palette and its length in seconds."""

START = "10:00:00:00"
STRIP_WIDTH, STRIP_HEIGHT = 640, 64
SAMPLE_RATE = 48000
LIMIT_SECONDS = 180.0


def make_demo_clip(tools: Tools, path: Path) -> Path:
    """Write the clip to `path` (a .mov) and return it. Raises Unavailable (demo_clip) where ffmpeg fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs, graph = _picture(folder)
        _sound(folder / "sound.wav")
        strip = len(inputs)
        shown = f"{graph};[scene][{strip}:v]overlay=x=(W-w)/2:y=H-h-40[out]"
        command = [tools.ffmpeg, "-nostdin", "-y", "-v", "error"]
        for layer in inputs:
            command += layer
        command += ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{STRIP_WIDTH}x{STRIP_HEIGHT}"]
        command += ["-r", str(RATE), "-i", "-", "-i", "sound.wav", "-filter_complex", shown]
        command += ["-map", "[out]", "-map", f"{strip + 1}:a", *_encoding(), str(path.absolute())]
        _run(command, folder, _strips())
    return path


def _encoding() -> list[str]:
    return [
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "film", "-crf", "17",
        "-maxrate", "9M", "-bufsize", "14M", "-g", "50",
        "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv",
        "-c:a", "aac", "-b:a", "192k", "-timecode", START, "-shortest", "-f", "mov", "-movflags", "+faststart",
    ]  # fmt: skip


def _run(command: list[str], folder: Path, frames: Iterator[bytes]) -> None:
    with (folder / "messages").open("w+b") as messages:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=messages
        )
        with process:
            try:
                with contextlib.suppress(BrokenPipeError):
                    for frame in frames:
                        process.stdin.write(frame)  # type: ignore[union-attr]
                    process.stdin.close()  # type: ignore[union-attr]
                process.wait(timeout=LIMIT_SECONDS)
            except BaseException:
                process.kill()
                raise
        messages.seek(0)
        if process.returncode:
            tail = messages.read()[-300:].decode("utf-8", "replace").strip()
            raise Unavailable("demo_clip", f"The demo clip could not be made: {tail}")


def _picture(folder: Path) -> tuple[list[list[str]], str]:
    """Inputs and the graph that ends in [scene]: each shot's layers put over each other, the shots in a row."""
    inputs: list[list[str]] = []
    parts: list[str] = []
    for number, (palette, seconds) in enumerate(SHOTS):
        frames = seconds * RATE
        parts += _shot_graph(shot(palette, frames), folder, number, frames, inputs)
    ends = "".join(f"[shot{number}]" for number in range(len(SHOTS)))
    parts.append(f"{ends}concat=n={len(SHOTS)},format=yuv420p,noise=c0s=2:c0f=t,fade=out:{_total() - 20}:20[scene]")
    return inputs, ";".join(parts)


def _shot_graph(layers: list[Layer], folder: Path, number: int, frames: int, inputs: list[list[str]]) -> list[str]:
    parts, below = [], ""
    for index, layer in enumerate(layers):
        name = f"{number}_{index}.raw"
        (folder / name).write_bytes(layer.pixels.tobytes())
        height, width = layer.pixels.shape[:2]
        source = len(inputs)
        inputs.append(["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}", "-r", str(RATE), "-i", name])
        to = f"l{number}_{index}"
        form = "yuva444p" if index else "yuv444p"
        still = f"scale=out_color_matrix=bt709:out_range=tv,format={form},loop=loop={frames - 1}:size=1"
        parts.append(f"[{source}:v]{still}[{to}]")
        if not below:
            below = to
            continue
        over = f"o{number}_{index}"
        parts.append(f"[{below}][{to}]overlay=x=-floor(n*{layer.speed:.5f}):y={layer.y}:format=yuv444[{over}]")
        below = over
    parts[-1] = parts[-1][: parts[-1].rindex("[")] + f"[shot{number}]"
    return parts


def _total() -> int:
    return sum(seconds for _, seconds in SHOTS) * RATE


def _strips() -> Iterator[bytes]:
    """The burnt-in line of every frame, RGBA: a dot that lights on each second, the timecode, the frame."""
    code = Timecode(Fraction(RATE))
    code = Timecode(Fraction(RATE), start=code.count(START))
    glyphs = _Glyphs(30)
    plate = Image.new("RGBA", (STRIP_WIDTH, STRIP_HEIGHT), (0, 0, 0, 0))
    box = (0, 0, STRIP_WIDTH - 1, STRIP_HEIGHT - 1)
    ImageDraw.Draw(plate).rounded_rectangle(box, 12, fill=(0, 0, 0, 150))
    for frame in range(_total()):
        strip = plate.copy()
        glyphs.write(strip, 66, code.label(frame), 255)
        glyphs.write(strip, 386, "frame", 150)
        glyphs.write(strip, 500, f"{frame:04d}", 255)
        lit = frame % RATE < 2
        mark = ImageDraw.Draw(strip)
        mark.ellipse((28, 24, 44, 40), fill=(255, 255, 255, 255 if lit else 0), outline=(255, 255, 255, 150), width=2)
        yield strip.tobytes()


class _Glyphs:
    """White text in cells of one width, from Pillow's own font: digits do not jump."""

    def __init__(self, size: int) -> None:
        font = ImageFont.load_default(size=size)
        self.cell = max(int(font.getlength(digit)) + 1 for digit in "0123456789")
        self._pictures: dict[str, tuple[Image.Image, int]] = {}
        for letter in "0123456789:;framen ":
            width = self.cell if letter.isdigit() else max(8, int(font.getlength(letter)) + 2)
            picture = Image.new("L", (width, STRIP_HEIGHT), 0)
            left = (width - font.getlength(letter)) / 2
            ImageDraw.Draw(picture).text((left, STRIP_HEIGHT / 2), letter, fill=255, font=font, anchor="lm")
            self._pictures[letter] = (picture, width)

    def write(self, strip: Image.Image, x: int, text: str, level: int) -> None:
        for letter in text:
            picture, width = self._pictures[letter]
            strip.paste((255, 255, 255, level), (x, 0), picture)
            x += width


def _sound(path: Path) -> None:
    """A soft pad of two chords, one for each shot, and a quiet tick on every second; about -23 LUFS."""
    total = _total() * SAMPLE_RATE // RATE
    time = np.arange(total) / SAMPLE_RATE
    half = SHOTS[0][1]
    pad = _chord(time, (110.0, 164.81, 220.0, 261.63, 392.0), 0.0, half + 1.5)
    pad += _chord(time, (87.31, 174.61, 220.0, 329.63, 440.0), half - 0.5, 2.0 * half)
    pad *= 0.057 / np.sqrt(np.mean(pad**2))
    tick = np.sin(2 * np.pi * 1500 * time[:720]) * np.exp(-time[:720] * 420) * 0.16
    for second in range(total // SAMPLE_RATE):
        pad[:, second * SAMPLE_RATE : second * SAMPLE_RATE + len(tick)] += tick
    samples = (np.clip(pad, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.T.tobytes())


def _chord(time: Any, tones: tuple[float, ...], begin: float, end: float) -> Any:
    """Slow, slightly detuned tones from `begin` to `end` seconds, as two channels."""
    swell = np.clip((time - begin) / 1.8, 0, 1) * np.clip((end - time) / 1.8, 0, 1)
    swell = swell * swell * (3 - 2 * swell)
    channels = []
    for detune in (-0.0012, 0.0012):
        voice = np.zeros_like(time)
        for number, tone in enumerate(tones):
            pitch = tone * (1 + detune * (1 + number % 2))
            breath = 1 + 0.25 * np.sin(2 * np.pi * (0.07 + 0.03 * number) * time + number)
            for harmonic, weight in ((1, 1.0), (2, 0.32), (3, 0.12)):
                level = weight * breath / (number + 1.5)
                voice += level * np.sin(2 * np.pi * pitch * harmonic * time + number * 1.7)
        channels.append(voice * swell)
    return np.stack(channels)
