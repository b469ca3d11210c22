"""Films whose every picture carries its own frame number, so that a test can see which frame is shown.

The number stands as 16 blocks of bits with their inverse below them; a torn or black picture is no number.
"""

from __future__ import annotations

import subprocess
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np

#: Reads the number from the page's `<video>`; -1 where the picture holds none.
READ_CODE = """() => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 320, height: 180});
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.drawImage(document.querySelector("video"), 0, 0, 320, 180);
  const data = pen.getImageData(0, 0, 320, 40).data;
  let number = 0;
  for (let i = 0; i < 16; i++) {
    const [bit, inverse] = [10, 30].map(y => data[(y * 320 + i * 20 + 10) * 4]);
    if (Math.abs(bit - inverse) < 60) return -1;
    number = number * 2 + (bit > inverse ? 1 : 0);
  }
  return number;
}"""


def write_film(
    path: Path,
    *,
    frames: int,
    rate: Fraction = Fraction(25),
    size: tuple[int, int] = (1280, 720),
    timecode: str = "10:00:00:00",
) -> Path:
    """An H.264 film with a 1 kHz tone, its start timecode, and the code in each picture."""
    width, height = size
    sound = _tone(path.with_suffix(".wav"), float(frames / rate))
    command = [
        "ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}",
        "-r", str(rate),
        "-i", "-", "-i", str(sound), "-c:v", "libx264", "-preset", "ultrafast", "-crf", "18", "-c:a", "aac",
        "-timecode", timecode, "-movflags", "+faststart", str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(frames):
            process.stdin.write(_picture(number, width, height))
        process.stdin.close()
        assert process.wait(120) == 0
    sound.unlink()
    return path


def _picture(number: int, width: int, height: int) -> bytes:
    luma = np.empty((height, width), np.uint8)
    bits = np.array([235 if number >> (15 - i) & 1 else 16 for i in range(16)], np.uint8)
    row = np.repeat(bits, width // 16)
    band = height // 9
    luma[:band] = row
    luma[band : 2 * band] = 251 - row
    luma[2 * band :] = np.add.outer(np.arange(height - 2 * band) * 2, np.arange(width) + number * 3) % 130 + 60
    return luma.tobytes() + b"\x80" * (width * height // 2)


def _tone(path: Path, seconds: float) -> Path:
    wave_form = np.sin(2 * np.pi * 1000 * np.arange(int(seconds * 48000)) / 48000) * 12000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(np.repeat(wave_form.astype(np.int16), 2).tobytes())
    return path
