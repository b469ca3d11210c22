"""Films whose every frame says which one it is, read back from what we encode.

The top rows hold the frame's number as 16 black or white blocks, the rows below their inverse, so that a
picture that is a blend of two is seen to be none. On the frame nearest to each second the rest is white, and
the sound has a click at that frame's time.
"""

from __future__ import annotations

import subprocess
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from app.media.tools import Tools

WIDTH, HEIGHT, BLOCK = 320, 176, 20
SAMPLES = 48000
BURST = (np.sin(2 * np.pi * 2000 * np.arange(240) / SAMPLES) * 24000).astype(np.int16)


@dataclass(frozen=True)
class Film:
    """A coded source. `expected[n]` is the number that frame n of the preview must show."""

    name: str
    path: Path
    rate: Fraction
    expected: list[int]
    flashes: list[int]
    """Preview frames at which a click belongs."""


@dataclass(frozen=True)
class Recipe:
    file: str
    rate: Fraction
    seconds: int
    video: tuple[str, ...]
    audio: tuple[str, ...] = ("-c:a", "aac", "-b:a", "192k")
    first: int = 0
    """The number of the first frame that is kept."""
    variable: bool = False


X264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "14")
FILMS = {
    "25": Recipe("a.mp4", Fraction(25), 30, (*X264, "-g", "50")),
    "29.97": Recipe("a.mov", Fraction(30000, 1001), 30, (*X264, "-g", "250", "-bf", "3"), ("-c:a", "pcm_s16le")),
    "23.976 mkv": Recipe("a.mkv", Fraction(24000, 1001), 30, (*X264, "-g", "48")),
    "25 ts, open": Recipe("a.ts", Fraction(25), 30, (*X264, "-x264-params", "open-gop=1:keyint=60:bframes=3")),
    "variable": Recipe("a.mp4", Fraction(30), 30, (*X264, "-g", "60"), first=4, variable=True),
}


def picture(number: int, rate: Fraction) -> Any:
    """The luma of frame `number`."""
    luma = np.empty((HEIGHT, WIDTH), np.uint8)
    bits = [235 if number >> (15 - bit) & 1 else 16 for bit in range(16)]
    luma[:BLOCK] = np.repeat(np.array(bits, np.uint8), BLOCK)
    luma[BLOCK : 2 * BLOCK] = 251 - luma[:BLOCK]
    luma[2 * BLOCK :] = 235 if _on_second(number, rate) else 60 + number * 7 % 90
    return luma


def read(luma: Any) -> int | None:
    """The number in a picture of any size, None where its two lines do not agree."""
    height, width = luma.shape
    rows = height * BLOCK // HEIGHT
    middle = [int((column + 0.5) * width / 16) for column in range(16)]
    above = [int(luma[rows // 2, x]) > 126 for x in middle]
    below = [int(luma[rows + rows // 2, x]) > 126 for x in middle]
    if any(one == other for one, other in zip(above, below, strict=True)):
        return None
    return sum(1 << (15 - place) for place, bit in enumerate(above) if bit)


def make(tools: Tools, name: str, folder: Path) -> Film:
    """Write the film of that name and say what its preview must show."""
    recipe = FILMS[name]
    count = int(recipe.seconds * recipe.rate)
    _write_clicks(folder / "a.wav", recipe.rate, count)
    path = folder / recipe.file
    kept = [number for number in range(count) if _kept(number, recipe)]
    select = "select='gte(n\\,4)*not(between(mod(n\\,11)\\,3\\,5))*not(eq(mod(n\\,17)\\,9))'"
    thinned = ["-vf", select, "-fps_mode", "vfr"] if recipe.variable else []
    command = [
        tools.ffmpeg, "-nostdin", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p",
        "-s", f"{WIDTH}x{HEIGHT}", "-r", str(recipe.rate), "-i", "-", "-i", str(folder / "a.wav"), *thinned,
        *recipe.video, *recipe.audio, str(path),
    ]  # fmt: skip
    chroma = np.full(WIDTH * HEIGHT // 2, 128, np.uint8).tobytes()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for number in range(count):
            process.stdin.write(picture(number, recipe.rate).tobytes() + chroma)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    shown = [max(number for number in kept if number <= slot) for slot in range(kept[0], kept[-1] + 1)]
    flashes = [slot for slot in range(len(shown)) if _on_second(slot + kept[0], recipe.rate)]
    return Film(name, path, recipe.rate, shown, flashes)


def decoded(tools: Tools, path: Path, width: int, height: int) -> list[int | None]:
    """The numbers of all frames of a file, in order."""
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True, check=True, timeout=60
    ).stdout
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, height, width)
    return [read(one) for one in pictures]


def clicks(tools: Tools, path: Path) -> list[float]:
    """The times of all clicks of a file, in seconds of its own timestamps."""
    command = [tools.ffmpeg, "-nostdin", "-v", "error", "-copyts", "-i", str(path)]
    command += ["-af", "aresample=async=1:first_pts=0", "-f", "s16le", "-ac", "1", "-"]
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    sound = np.frombuffer(raw, np.int16).astype(np.float32)
    match = np.abs(np.correlate(sound, BURST.astype(np.float32), "valid"))
    level, found = match.max() * 0.5, []
    position = 0
    while len(above := np.flatnonzero(match[position:] > level)):
        begin = position + int(above[0])
        found.append((begin + int(np.argmax(match[begin : begin + 480]))) / SAMPLES)
        position = begin + SAMPLES // 2
    return found


def _kept(number: int, recipe: Recipe) -> bool:
    if not recipe.variable:
        return True
    return number >= recipe.first and not 3 <= number % 11 <= 5 and number % 17 != 9


def _on_second(number: int, rate: Fraction) -> bool:
    second = round(number / rate)
    return round(second * rate) == number


def _write_clicks(path: Path, rate: Fraction, count: int) -> None:
    sound = np.zeros(int(count / rate * SAMPLES), np.int16)
    for number in range(count):
        if _on_second(number, rate):
            at = round(number / rate * SAMPLES)
            sound[at : at + len(BURST)] = BURST[: max(0, len(sound) - at)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLES)
        file.writeframes(np.repeat(sound, 2).tobytes())
