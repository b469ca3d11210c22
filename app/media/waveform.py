"""The waveform as audiowaveform's JSON, version 2: what peaks.js, wavesurfer.js and our timeline read.

{"version": 2, "channels": 1, "sample_rate", "samples_per_pixel", "bits": 8, "length", "data": [min, max, …]}
Both channels share one curve: each point is the lowest and the highest sample that either of them has.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

FINEST = 50
"""Points a second, at most."""

MOST_POINTS = 90_000
"""Half a megabyte of JSON or so: fifty points a second for half an hour, twenty for 75 minutes, fewer beyond."""

BYTES_PER_SAMPLE = 2


class Peaks:
    """Reduces interleaved signed 16-bit little-endian samples to points as they come, in bounded memory."""

    def __init__(self, *, rate: int, channels: int, duration: Fraction) -> None:
        self.rate, self.channels = rate, channels
        self.samples_per_pixel = max(rate // FINEST, int(-(-duration * rate // MOST_POINTS)))
        self.taken = 0
        self._left = b""
        self._points: list[Any] = []

    @property
    def seconds(self) -> float:
        """Of sound, taken so far."""
        return self.taken / (self.rate * self.channels * BYTES_PER_SAMPLE)

    def take(self, block: bytes) -> None:
        """More samples; a block may end within one."""
        self.taken += len(block)
        data = self._left + block
        point = self.samples_per_pixel * self.channels * BYTES_PER_SAMPLE
        whole = len(data) // point * point
        self._left = data[whole:]
        if whole:
            self._add(np.frombuffer(data[:whole], "<i2").reshape(-1, self.samples_per_pixel * self.channels))

    def _add(self, samples: Any) -> None:
        both = np.stack([samples.min(axis=1), samples.max(axis=1)], axis=1)
        self._points.append(np.trunc(both / 256).astype(np.int8))  # towards silence, as audiowaveform does

    def to_json(self) -> dict[str, Any]:
        """The document; call it once, after the last block."""
        rest = len(self._left) // BYTES_PER_SAMPLE
        if rest:
            self._add(np.frombuffer(self._left[: rest * BYTES_PER_SAMPLE], "<i2").reshape(1, -1))
            self._left = b""
        data = np.concatenate(self._points).reshape(-1).tolist() if self._points else []
        return {
            "version": 2,
            "channels": 1,
            "sample_rate": self.rate,
            "samples_per_pixel": self.samples_per_pixel,
            "bits": 8,
            "length": len(data) // 2,
            "data": data,
        }
