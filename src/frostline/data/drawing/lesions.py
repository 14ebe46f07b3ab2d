"""The signs of a disease on a drawn leaf: colours over its texture."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
Tint = Callable[[np.random.Generator], Floats]
CONDITIONS = ("healthy", "spots", "rust", "blight", "mildew")


def smooth_noise(
    size_px: int, cells: int, generator: np.random.Generator, channels: int = 1
) -> Floats:
    """Draw cloudy noise.

    Args:
        size_px: Side of the result.
        cells: Number of clouds along a side.
        generator: Source of randomness.
        channels: Number of independent clouds.

    Returns:
        (size_px, size_px, channels), mean 0, deviation about 1.
    """
    coarse = generator.standard_normal((cells, cells, channels)).astype(np.float32)
    planes = [
        np.asarray(
            Image.fromarray(coarse[:, :, k]).resize((size_px, size_px), Image.Resampling.BICUBIC)
        )
        for k in range(channels)
    ]
    return np.stack(planes, axis=2).astype(np.float64)


def infect(condition: str, colour: Floats, inside: Floats, generator: np.random.Generator) -> None:
    """Draw the signs of a condition onto a leaf's texture, in place.

    Args:
        condition: One of `CONDITIONS`.
        colour: (T, T, 3) in 0 .. 1.
        inside: (T, T), 1 on the leaf and 0 beside it.
        generator: Source of number, place and severity.
    """
    severity = generator.uniform(0.35, 1.0)
    # Every leaf has scratches and dirt, so that "clean" does not mean healthy.
    _dots(colour, inside, generator, int(generator.integers(0, 5)), (0.012, 0.03), _brown, None)
    if condition == "spots":
        count = int(4 + 16 * severity)
        _dots(colour, inside, generator, count, (0.035, 0.085), _brown, _yellow)
    elif condition == "rust":
        count = int(25 + 110 * severity)
        _dots(colour, inside, generator, count, (0.014, 0.034), _orange, None)
    elif condition == "blight":
        _blight(colour, generator, severity)
    elif condition == "mildew":
        _mildew(colour, inside, generator, severity)


def _brown(generator: np.random.Generator) -> Floats:
    return np.array([0.36, 0.22, 0.11]) * generator.uniform(0.6, 1.3)


def _yellow(generator: np.random.Generator) -> Floats:
    return np.array([0.72, 0.66, 0.20]) * generator.uniform(0.8, 1.1)


def _orange(generator: np.random.Generator) -> Floats:
    return np.array([0.68, 0.34, 0.08]) * generator.uniform(0.75, 1.15)


def _dots(
    colour: Floats,
    inside: Floats,
    generator: np.random.Generator,
    count: int,
    radii: tuple[float, float],
    core: Tint,
    halo: Tint | None,
) -> None:
    """Draw round marks at random places of the leaf; radii as shares of the texture's side."""
    size = len(colour)
    places = np.argwhere(inside > 0.5)
    if not count or not len(places):
        return
    for top, left in places[generator.integers(0, len(places), count)]:
        radius = generator.uniform(*radii) * size
        reach = int(radius * (1.7 if halo else 1.2)) + 2
        rows = slice(max(0, top - reach), top + reach + 1)
        columns = slice(max(0, left - reach), left + reach + 1)
        y = np.arange(size)[rows, None] - top
        x = np.arange(size)[None, columns] - left
        stretch = generator.uniform(0.75, 1.25)
        distance = np.sqrt((x * stretch) ** 2 + (y / stretch) ** 2) - radius
        patch = colour[rows, columns]
        if halo is not None:
            around = np.clip(1 - distance / (0.6 * radius), 0, 1)[..., None] * 0.7
            patch += around * (halo(generator) - patch)
        within = np.clip(0.5 - distance, 0, 1)[..., None] * 0.9
        patch += within * (core(generator) - patch)


def _blight(colour: Floats, generator: np.random.Generator, severity: float) -> None:
    """Draw large dead areas that grow from the edge, with a yellow border."""
    size = len(colour)
    axis = np.linspace(-1, 1, size)
    field = 0.33 * smooth_noise(size, 7, generator)[..., 0]
    for _ in range(int(generator.integers(1, 4))):
        angle = generator.uniform(0, 2 * np.pi)
        row = axis[:, None] - 0.62 * np.cos(angle)
        column = axis[None, :] - 0.45 * np.sin(angle)
        field = np.maximum(field, 0.55 + 0.35 * severity - 1.25 * np.hypot(row, column))
    field += 0.12 * smooth_noise(size, 16, generator)[..., 0]
    front = np.clip((field - 0.12) * 6, 0, 1)[..., None]
    dead = np.clip((field - 0.26) * 10, 0, 1)[..., None]
    colour += 0.6 * front * (_yellow(generator) - colour)
    rings = 1 + 0.12 * np.sin(field * 40)[..., None]
    colour += 0.92 * dead * (_brown(generator) * rings - colour)


def _mildew(
    colour: Floats, inside: Floats, generator: np.random.Generator, severity: float
) -> None:
    """Draw pale powder in soft patches."""
    size = len(colour)
    places = np.argwhere(inside > 0.5)
    cover = np.zeros((size, size))
    axis = np.arange(size)
    for top, left in places[generator.integers(0, len(places), int(3 + 6 * severity))]:
        radius = generator.uniform(0.06, 0.15) * size
        squares = (axis[:, None] - top) ** 2 + (axis[None, :] - left) ** 2
        cover = np.maximum(cover, np.exp(-squares / (1.3 * radius**2)))
    grain = 0.75 + 0.3 * smooth_noise(size, 40, generator)[..., 0]
    powder = np.clip(cover * grain, 0, 1)[..., None] * (0.35 + 0.4 * severity)
    colour += powder * (np.array([0.86, 0.88, 0.84]) - colour)
