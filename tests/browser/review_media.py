"""Small coded previews for the tests of the player: each picture carries its own frame number.

The number stands as 16 blocks of bits and their inverse below it, so that a torn or half-decoded picture is no
number at all. Built as the workers build a preview: every segment from its own ffmpeg, audio once and apart,
the playlists written here with exact durations.
"""

from __future__ import annotations

import re
import subprocess
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

WIDTH, HEIGHT = 640, 360
FFMPEG = ["ffmpeg", "-nostdin", "-y", "-v", "error"]
HEAD = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "28", "-profile:v", "high", "-bf", "3", "-b_strategy", "0",
        "-refs", "3", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]  # fmt: skip


@dataclass(frozen=True)
class Film:
    name: str
    rate: Fraction
    frames: int

    @property
    def segment(self) -> int:
        """Frames in one segment: four seconds."""
        return round(4 * self.rate)


def make(film: Film, folder: Path, heights: tuple[int, ...] = (360, 180)) -> Path:
    """Writes `folder`/master.m3u8 and everything it names, and proxy.mp4 of the first rendition."""
    folder.mkdir(parents=True)
    source = folder / "source.mkv"
    _encode_source(film, source)
    for index in range(-(-film.frames // film.segment)):
        _encode_segment(film, source, folder, index, heights)
    _encode_audio(source, folder)
    for height in heights:
        _write_playlist(film, folder, height)
    master = [
        *HEAD,
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="main",DEFAULT=YES,CHANNELS="2",URI="audio.m3u8"',
    ]
    for height in heights:
        master.append(
            f'#EXT-X-STREAM-INF:BANDWIDTH={height * 4000},CODECS="avc1.64001f,mp4a.40.2",'
            f'RESOLUTION={height * 16 // 9}x{height},FRAME-RATE={float(film.rate):.3f},AUDIO="a"'
        )
        master.append(f"v{height}.m3u8")
    (folder / "master.m3u8").write_text("\n".join(master) + "\n")
    joint = folder / "joint.mp4"
    segments = sorted(folder.glob(f"v{heights[0]}_0*.m4s"))
    joint.write_bytes(b"".join(path.read_bytes() for path in (folder / f"v{heights[0]}_init.mp4", *segments)))
    remux = [
        *FFMPEG,
        "-copyts",
        "-i",
        str(joint),
        "-c",
        "copy",
        "-movflags",
        "+faststart",
        str(folder / "proxy.mp4"),
    ]
    subprocess.run(remux, check=True, timeout=60)
    return folder


def _picture(number: int) -> bytes:
    luma = np.empty((HEIGHT, WIDTH), np.uint8)
    bits = np.array([235 if number >> (15 - i) & 1 else 16 for i in range(16)], np.uint8)
    row = np.repeat(bits, WIDTH // 16)
    luma[:40] = row
    luma[40:80] = 251 - row
    luma[80:] = np.add.outer(np.arange(HEIGHT - 80) * 2, np.arange(WIDTH) + number * 3) % 130 + 60
    return luma.tobytes() + b"\x80" * (WIDTH * HEIGHT // 2)


def _encode_source(film: Film, source: Path) -> None:
    sound = source.with_suffix(".wav")
    samples = np.zeros((int(film.frames / film.rate * 48000), 2), np.int16)
    samples[::480] = 9000
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.tobytes())
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
        "-s",
        f"{WIDTH}x{HEIGHT}",
        "-r",
        str(film.rate),
        "-i",
        "-",
    ]
    lossy = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12", "-g", "50", "-c:a", "pcm_s16le"]
    command = ["ffmpeg", "-y", "-v", "error", *raw, "-i", str(sound), *lossy, str(source)]
    subprocess.run(command, input=b"".join(map(_picture, range(film.frames))), check=True, timeout=60)


def _encode_segment(film: Film, source: Path, folder: Path, index: int, heights: tuple[int, ...]) -> None:
    first = index * film.segment
    start = f"{float(first / film.rate):.6f}"
    count = min(film.segment, film.frames - first)
    names = [f"[s{height}]" for height in heights]
    graph = f"[0:v:0]fps={film.rate}:start_time={start}:round=near,setsar=1,split={len(heights)}"
    graph += "".join(f"[o{height}]" for height in heights)
    graph += "".join(f";[o{height}]scale=-2:{height}{name}" for height, name in zip(heights, names, strict=True))
    seek = ["-ss", start] if index else []
    command = [
        *FFMPEG,
        "-copyts",
        "-start_at_zero",
        "-noaccurate_seek",
        *seek,
        "-i",
        str(source),
        "-filter_complex",
        graph,
    ]
    gop = str(round(2 * film.rate))
    for height, name in zip(heights, names, strict=True):
        command += ["-map", name, *X264, "-g", gop, "-keyint_min", gop, "-frames:v", str(count)]
        command += [
            "-avoid_negative_ts",
            "disabled",
            "-f",
            "hls",
            "-hls_segment_type",
            "fmp4",
            "-hls_time",
            "3.99",
        ]
        command += ["-hls_list_size", "0", "-start_number", str(index)]
        command += ["-hls_segment_options", "movflags=+frag_discont"]
        command += ["-hls_fmp4_init_filename", f"v{height}_init.mp4"]
        command += ["-hls_segment_filename", str(folder / f"v{height}_%05d.m4s")]
        command += [str(folder / f"v{height}.tmp.m3u8")]
    subprocess.run(command, check=True, timeout=60)


def _encode_audio(source: Path, folder: Path) -> None:
    playlist = folder / "audio.m3u8"
    command = [*FFMPEG, "-copyts", "-start_at_zero", "-i", str(source), "-map", "0:a:0", "-c:a", "aac", "-b:a", "96k",
               "-avoid_negative_ts", "disabled", "-f", "hls", "-hls_segment_type", "fmp4", "-hls_time", "4",
               "-hls_list_size", "0", "-hls_playlist_type", "vod", "-hls_fmp4_init_filename", "a_init.mp4",
               "-hls_segment_filename", str(folder / "a_%05d.m4s"), str(playlist)]  # fmt: skip
    subprocess.run(command, check=True, timeout=60)
    text = playlist.read_text()
    segments = re.findall(r"#EXTINF:([\d.]+),\n(\S+)\n", text)
    if len(segments) > 1 and float(segments[-1][0]) < 1:  # hls.js never loads so short a tail
        (length, name), (tail_length, tail) = segments[-2:]
        (folder / name).write_bytes((folder / name).read_bytes() + (folder / tail).read_bytes())
        both = f"#EXTINF:{float(length) + float(tail_length):.6f},\n{name}\n"
        text = text.replace(f"#EXTINF:{length},\n{name}\n#EXTINF:{tail_length},\n{tail}\n", both)
        playlist.write_text(text.replace("TARGETDURATION:4", "TARGETDURATION:5"))


def _write_playlist(film: Film, folder: Path, height: int) -> None:
    lines = [
        *HEAD,
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="v{height}_init.mp4"',
    ]
    for index in range(-(-film.frames // film.segment)):
        count = min(film.segment, film.frames - index * film.segment)
        lines += [f"#EXTINF:{float(count / film.rate):.6f},", f"v{height}_{index:05d}.m4s"]
    (folder / f"v{height}.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n")
