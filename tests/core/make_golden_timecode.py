"""Write golden_timecode.json: labels as the PyPI package `timecode` gives them, for Python and for the browser.

Run by hand when the vectors are to change: `python -m tests.core.make_golden_timecode`. The package counts
frames from 1; ours count from 0.
"""

from __future__ import annotations

import json
from pathlib import Path

from timecode import Timecode

PATH = Path(__file__).with_name("golden_timecode.json")
CASES = (
    ("24000/1001", "23.976", False), ("24/1", "24", False), ("25/1", "25", False), ("30000/1001", "29.97", False),
    ("30000/1001", "29.97", True), ("30/1", "30", False), ("48/1", "48", False), ("50/1", "50", False),
    ("60000/1001", "59.94", False), ("60000/1001", "59.94", True), ("60/1", "60", False),
)  # fmt: skip
START = {True: "01:00:00;00", False: "01:00:00:00"}


def frames_for(rate: str, drop: bool) -> list[int]:
    """Counts worth a look: beginnings, minutes, tens of minutes, hours, and the last label of the day."""
    top, bottom = map(int, rate.split("/"))
    fps = round(top / bottom)
    minute = fps * 60 - (fps // 15 if drop else 0)
    ten = fps * 600 - (9 * fps // 15 if drop else 0)
    day = ten * 144
    around = [0, fps, fps * 60, minute, minute * 2, ten, ten + fps * 60, ten * 6, ten * 6 + minute, ten * 60, day // 2]
    near = {count + step for count in around for step in (-2, -1, 0, 1, 2, 3, 4, 5)}
    spread = {day * step // 97 for step in range(97)}
    return sorted(count for count in near | spread | {day - 1} if 0 <= count < day)


def vectors() -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for rate, name, drop in CASES:
        rows = []
        for count in frames_for(rate, drop):
            label = str(Timecode(name, frames=count + 1, force_non_drop_frame=not drop))
            rows.append([count, label])
        start = Timecode(name, START[drop], force_non_drop_frame=not drop).frames - 1
        found.append({"rate": rate, "drop": drop, "start": START[drop], "startFrame": start, "labels": rows})
    return found


if __name__ == "__main__":
    PATH.write_text(json.dumps({"cases": vectors()}, separators=(",", ":")) + "\n")
