"""Loudness after EBU R 128 (ITU-R BS.1770): read from the summary that ffmpeg's ebur128 filter prints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from app.media.facts import JsonRecord

SILENCE = -70.0
"""The absolute gate of BS.1770: nothing was louder."""

_VALUES = {
    "integrated": re.compile(r"\bI:\s+(-?[\d.]+|-?inf|nan) LUFS"),
    "range": re.compile(r"\bLRA:\s+(-?[\d.]+|-?inf|nan) LU"),
    "true_peak": re.compile(r"\bPeak:\s+(-?[\d.]+|-?inf|nan) dBFS"),
}


@dataclass(frozen=True, slots=True)
class Loudness(JsonRecord):
    """Integrated loudness (LUFS), loudness range (LU), true peak (dBTP). None where there is only silence."""

    integrated: float | None
    range: float | None
    true_peak: float | None

    def described(self) -> dict[str, Any]:
        """For the row and the API: camelCase."""
        return {"integrated": self.integrated, "range": self.range, "truePeak": self.true_peak}


def read_summary(messages: str) -> Loudness | None:
    """The last summary within ffmpeg's messages; None where there is none."""
    _, found, summary = messages.rpartition("Summary:")
    values = {name: _number(pattern.search(summary)) for name, pattern in _VALUES.items()}
    if not found or all(value is None for value in values.values()):
        return None
    if (values["integrated"] or 0.0) <= SILENCE:
        return Loudness(None, None, values["true_peak"])
    return Loudness(**values)


def _number(match: re.Match[str] | None) -> float | None:
    if match is None or "inf" in match[1] or match[1] == "nan":
        return None
    return float(match[1])
