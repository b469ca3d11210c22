"""Two drawn landscapes for the demo clip: dusk with a moon, and first light over mist.

A shot is a still sky and a few strips that move past it at their own speeds. Everything is drawn once, in
float RGB from 0 to 1, and dithered on the way to 8 bits so that the sky shows no bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 1920, 1080
TOPS = (470, 524, 600, 697, 805)
"""Where each ridge's highest peak stands, from the farthest to the nearest; how far it falls; how fast it goes."""
SWINGS = (150, 130, 125, 115, 70)
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)

Array = np.ndarray[Any, np.dtype[Any]]
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """A shot's colours: sky from the zenith to the horizon, and ridges from the farthest to the nearest."""

    seed: int
    sky: tuple[str, ...]
    ridges: tuple[str, ...]
    mist: str
    light: str
    light_at: tuple[float, float]
    light_radius: float
    glow: float
    glow_color: str
    stars: int
    clouds: tuple[str, float]


DUSK = Palette(
    seed=11,
    sky=("0c1128", "1b2146", "3c3563", "7a4f76", "c4726e", "f0a878"),
    ridges=("8d6580", "64506f", "433b5c", "272742", "0d0f1d"),
    mist="c98078",
    light="fff3dc",
    light_at=(0.71, 0.23),
    light_radius=43,
    glow=0.34,
    glow_color="d8a9c0",
    stars=420,
    clouds=("e79a86", 0.36),
)
FIRST_LIGHT = Palette(
    seed=29,
    sky=("2b4a68", "4f7891", "8aa9ae", "c9cdb4", "f2d9a4", "ffc987"),
    ridges=("a9b6ab", "7d999a", "557a80", "2f545d", "10242c"),
    mist="f3d7a6",
    light="fffbe8",
    light_at=(0.395, 0.515),
    light_radius=66,
    glow=0.62,
    glow_color="ffeebf",
    stars=0,
    clouds=("fff0cf", 0.42),
)


@dataclass(frozen=True)
class Layer:
    """An RGBA picture (uint8) at height `y`, moving left by `speed` pixels a frame."""

    pixels: Any
    y: int
    speed: float


def shot(palette: Palette, frames: int) -> list[Layer]:
    """The layers of a shot of `frames` frames, from back to front; the first fills the picture."""
    rng = np.random.default_rng(palette.seed)
    layers = [Layer(_sky(palette, rng), 0, 0.0), _clouds(palette, rng, frames)]
    return layers + [_ridge(palette, rng, index, frames) for index in range(len(palette.ridges))]


def rgb(text: str) -> Color:
    """`"ff8800"` as numbers from 0 to 1."""
    return int(text[0:2], 16) / 255, int(text[2:4], 16) / 255, int(text[4:6], 16) / 255


def _to_bytes(color: Array, alpha: Array, rng: np.random.Generator) -> Any:
    """RGBA in 8 bits; the dither is one level of triangular noise."""
    noise = rng.random(color.shape[:2], dtype=np.float32) - rng.random(color.shape[:2], dtype=np.float32)
    out = np.empty((*color.shape[:2], 4), np.uint8)
    out[..., :3] = np.clip(color * 255 + noise[..., None] + 0.5, 0, 255)
    out[..., 3] = np.clip(alpha * 255 + 0.5, 0, 255)
    return out


def _sky(palette: Palette, rng: np.random.Generator) -> Any:
    height = np.linspace(0, 1, HEIGHT, dtype=np.float32)
    stops = np.linspace(0, 0.66, len(palette.sky))
    column = np.stack([np.interp(height, stops, channel) for channel in zip(*map(rgb, palette.sky), strict=True)], -1)
    color = np.repeat(column[:, None, :].astype(np.float32), WIDTH, axis=1)
    across, down = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
    x, y = palette.light_at[0] * WIDTH, palette.light_at[1] * HEIGHT
    distance = np.hypot(across - x, down - y)
    for _ in range(palette.stars):
        _star(color, rng)
    glow = palette.glow * np.exp(-distance / 190) + 0.35 * palette.glow * np.exp(-distance / 620)
    disc = np.clip(palette.light_radius - distance + 0.5, 0, 1)
    shade = 1 - 0.10 * _smooth_noise(rng, WIDTH, HEIGHT, 26) * disc
    light = np.array(rgb(palette.light), np.float32)
    for tint, amount in ((np.array(rgb(palette.glow_color), np.float32), np.clip(glow, 0, 1)), (light, disc)):
        color = color * (1 - amount[..., None]) + tint * (shade * amount)[..., None]
    return _to_bytes(color, np.ones((HEIGHT, WIDTH), np.float32), rng)


def _star(color: Array, rng: np.random.Generator) -> None:
    x, y = int(rng.integers(2, WIDTH - 2)), int(rng.power(0.6) * 0.48 * HEIGHT) + 2
    bright = float(rng.power(0.35)) * (1 - y / (0.56 * HEIGHT))
    spread = np.array([[0.05, 0.22, 0.05], [0.22, 1.0, 0.22], [0.05, 0.22, 0.05]], np.float32)
    patch = color[y - 1 : y + 2, x - 1 : x + 2]
    patch += (1 - patch) * spread[..., None] * bright


def _smooth_noise(rng: np.random.Generator, width: int, height: int, cell: float, stretch: float = 1.0) -> Array:
    """Noise from 0 to 1, smooth at `cell` pixels (times `stretch` across)."""
    grid = rng.random((max(2, int(height / cell) + 2), max(2, int(width / (cell * stretch)) + 2)), dtype=np.float32)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC), np.float32)


def _clouds(palette: Palette, rng: np.random.Generator, frames: int) -> Layer:
    """Thin banks of cloud, lit from below, that drift a pixel every third frame."""
    width, height = WIDTH + frames, 400
    density = sum(
        (_smooth_noise(rng, width, height, cell, 5.0) * weight for cell, weight in ((90, 0.5), (40, 0.3), (16, 0.2))),
        np.zeros((height, width), np.float32),
    )
    density = np.clip((density - 0.47) * 3.2, 0, 1)
    fade = np.sin(np.linspace(0, np.pi, height, dtype=np.float32)).clip(0, 1) ** 1.5
    tint, strength = palette.clouds
    color = np.empty((height, width, 3), np.float32)
    color[:] = rgb(tint)
    return Layer(_to_bytes(color, density * fade[:, None] * strength, rng), 200, 1 / 3)


def _ridge(palette: Palette, rng: np.random.Generator, index: int, frames: int) -> Layer:
    """One range of hills: a noisy skyline, light on the slopes that face it, mist at the foot.

    It reaches down to where the next one hides it.
    """
    speed, y = SPEEDS[index], TOPS[index]
    width = WIDTH + int(speed * frames) + 2
    skyline = _skyline(rng, width, rough=2.0 - 0.15 * index, swing=SWINGS[index])
    if index == len(TOPS) - 1:
        skyline = _with_trees(rng, skyline)
    skyline -= skyline.min()
    nearest = index == len(TOPS) - 1
    height = HEIGHT - y if nearest else TOPS[index + 1] + SWINGS[index + 1] + 70 - y
    down = np.arange(height, dtype=np.float32)[:, None]
    depth = down - skyline[None, :]
    alpha = np.clip(depth + 0.5, 0, 1)
    lit = _lit(skyline, depth, 1 if palette.light_at[0] > 0.5 else -1) * (0.0 if nearest else 0.2)
    body = np.array(rgb(palette.ridges[index]), np.float32)
    grain = (_smooth_noise(rng, width, height, 22, 1.6) - 0.5) * (0.015 if nearest else 0.05)
    color = body * (1 + lit + grain)[..., None]
    foot = np.clip(depth / (210 + 20 * index), 0, 1) ** 1.4 * (0.62, 0.58, 0.52, 0.40, 0.0)[index]
    mist = np.array(rgb(palette.mist), np.float32)
    return Layer(_to_bytes(color * (1 - foot[..., None]) + mist * foot[..., None], alpha, rng), y, speed)


def _lit(skyline: Array, depth: Array, side: int) -> Array:
    """Light on slopes that face the light, from -1 to 1. Spurs run down aslant, so the skyline is looked up so."""
    smooth = np.convolve(np.pad(skyline, 20, "edge"), np.hanning(41) / np.hanning(41).sum(), "valid")
    slope = np.clip(np.gradient(smooth) * side * 1.4, -1, 1).astype(np.float32)
    below = np.clip(depth, 0, None)
    across = np.arange(len(skyline))[None, :] + (below * 0.55 * side).astype(int)
    spread: Array = np.take(slope, np.clip(across, 0, len(skyline) - 1)) * np.exp(-below / 70)
    return spread


def _skyline(rng: np.random.Generator, width: int, *, rough: float, swing: float) -> Array:
    """Heights in pixels from the top: octaves of smooth noise, the finer the weaker; peaks are sharpened."""
    line = np.zeros(width, np.float32)
    cell, weight = 620.0, 1.0
    while cell > 5:
        knots = rng.random(int(width / cell) + 3)
        at = np.arange(width) / cell + rng.random()
        octave = np.interp(at, np.arange(len(knots)), knots)
        soft = knots[np.clip(at.astype(int), 0, None)]
        blend = (at % 1) ** 2 * (3 - 2 * (at % 1))
        smooth = soft * (1 - blend) + knots[np.minimum(at.astype(int) + 1, len(knots) - 1)] * blend
        octave = 0.5 * octave + 0.5 * smooth
        line += (weight * (1 - np.abs(2 * octave - 1)) if cell > 100 else weight * octave).astype(np.float32)
        cell, weight = cell / 2.1, weight / rough
    line = (line - line.min()) / (line.max() - line.min())
    down: Array = (1 - line) * swing
    return down


def _with_trees(rng: np.random.Generator, skyline: Array) -> Array:
    """A fringe of conifers, thicker in some places than in others."""
    out = skyline.copy()
    wood = np.interp(np.arange(len(out)), np.arange(0, len(out) + 160, 160), rng.random(len(out) // 160 + 2))
    x = 0.0
    while x < len(out) - 1:
        tall = float(rng.uniform(18, 62) * (0.35 + 1.1 * wood[int(x)]))
        half = tall * float(rng.uniform(0.16, 0.22))
        at = np.arange(max(0, int(x - half)), min(len(out), int(x + half) + 1))
        away = np.abs(at - x) / half
        branches = 0.10 * tall * ((away * 5) % 1)
        out[at] = np.minimum(out[at], skyline[int(x)] - (tall * (1 - away) - branches).clip(0))
        x += float(rng.uniform(0.35, 1.5)) * half * (2.6 - 1.9 * wood[int(x)])
    return out
