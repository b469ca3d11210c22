"""The storyboard: small pictures of the whole film on a few sheets, and the WebVTT that says which is where.

They are key frames of the smallest rendition, which lie every two seconds: hardly anything is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from app.media.commands import compiled
from app.media.facts import JsonRecord
from app.media.grid import Grid
from app.media.ladder import Rendition
from app.media.plan import Plan
from app.media.results import is_plain
from app.media.source import input_options
from app.media.tools import Tools
from app.media.untrusted import MediaFailed, run_untrusted

COLUMNS, ROWS = 10, 10
MOST_TILES = 400
BOX = (160, 90)
BASE_SECONDS = 300.0
VTT = "storyboard.vtt"


@dataclass(frozen=True, slots=True)
class Storyboard(JsonRecord):
    """Tile number i shows frame i × `every`; sheets hold `columns` × `rows` tiles of `width` × `height` pixels."""

    tiles: int
    every: int
    width: int
    height: int
    columns: int
    rows: int

    @property
    def sheets(self) -> list[str]:
        """The names of the sheets."""
        return [f"sprite-{number:03d}.jpg" for number in range(-(-self.tiles // (self.columns * self.rows)))]

    def paths(self, folder: Path) -> list[Path]:
        """The files to keep, in `folder`: the sheets, then what names them."""
        return [folder / name for name in (*self.sheets, VTT)]


def layout(grid: Grid, rendition: Rendition, frames: int) -> Storyboard:
    """What a film of `frames` frames gets: a tile for each key frame, or for every so many in a long one."""
    keys = -(-frames // grid.gop_frames)
    step = -(-keys // MOST_TILES)
    tiles = -(-keys // step)
    shrink = min(BOX[0] / rendition.width, BOX[1] / rendition.height, 1.0)
    return Storyboard(
        tiles=tiles,
        every=step * grid.gop_frames,
        width=max(2, 2 * round(rendition.width * shrink / 2)),
        height=max(2, 2 * round(rendition.height * shrink / 2)),
        columns=min(COLUMNS, tiles),
        rows=min(ROWS, -(-tiles // COLUMNS)),
    )


def make_storyboard(
    tools: Tools,
    url: str,
    plan: Plan,
    rendition: Rendition,
    frames: int,
    folder: Path,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> Storyboard:
    """Write the sheets and `storyboard.vtt` into `folder` from `rendition` as one fragmented MP4 at `url`.

    `frames` is how many it has. Raises MediaFailed, TimedOut, Cancelled.
    """
    board = layout(plan.grid, rendition, frames)
    limit = BASE_SECONDS + float(plan.duration) / 4
    run_untrusted(
        storyboard_command(tools, url, plan.grid, board), folder=folder, time_limit=limit, cancelled=cancelled
    )
    (folder / VTT).write_text(write_vtt(board, plan.exact_rate, frames))
    if not all(is_plain(path) for path in board.paths(folder)):
        raise MediaFailed("media_failed", "The pictures of the storyboard could not be made.")
    return board


def storyboard_command(tools: Tools, url: str, grid: Grid, board: Storyboard) -> list[str]:
    """Read key frames alone, keep every so many of them, lay them out on sheets."""
    keys = board.every // grid.gop_frames
    source = ffmpeg.input(url, **input_options(), f="mp4", discard="nokey", skip_frame="nokey")
    sheets = (
        source["v:0"]
        .filter("select", f"not(mod(n,{keys}))")
        .filter("scale", board.width, board.height, out_color_matrix="bt601", out_range="full")
        .filter("format", "yuvj420p")
        .filter("tile", f"{board.columns}x{board.rows}")
    )
    options = {"fps_mode": "passthrough", "c:v": "mjpeg", "q:v": "5", "f": "image2", "start_number": "0"}
    return compiled(tools, [ffmpeg.output(sheets, "sprite-%03d.jpg", map_metadata="-1", **options)], progress=False)


def write_vtt(board: Storyboard, rate: Fraction, frames: int) -> str:
    """WebVTT whose cues are spatial media fragments (W3C Media Fragments 4.2.2): `sprite-000.jpg#xywh=0,0,160,90`."""
    cues = ["WEBVTT"]
    sheet = board.columns * board.rows
    for tile in range(board.tiles):
        begins, ends = tile * board.every / rate, min(frames, (tile + 1) * board.every) / rate
        row, column = divmod(tile % sheet, board.columns)
        place = f"{column * board.width},{row * board.height},{board.width},{board.height}"
        cues.append(f"{_clock(begins)} --> {_clock(ends)}\n{board.sheets[tile // sheet]}#xywh={place}")
    return "\n\n".join(cues) + "\n"


def _clock(seconds: Fraction) -> str:
    whole, milli = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milli:03d}"
