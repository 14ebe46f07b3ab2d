"""Draw cells as under a fluorescence microscope: a data set unlike the built-in leaves.

Eight kinds that differ in the outline of the cells, their nuclei and their granules, not in colour,
brightness or number: these vary at random. Equal seeds give equal drawings.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 96
# Name to: length over width, lobes of the outline, nuclei, how strong its granules are.
KINDS: dict[str, tuple[float, int, int, float]] = {
    "binucleate": (1.2, 0, 2, 0.0),
    "granular": (1.2, 0, 1, 0.8),
    "lobed": (1.1, 4, 1, 0.0),
    "lobed_granular": (1.1, 4, 1, 0.8),
    "round": (1.0, 0, 1, 0.0),
    "spindle": (2.6, 0, 1, 0.0),
    "spindle_granular": (2.6, 0, 1, 0.8),
    "trinucleate": (1.2, 0, 3, 0.0),
}
Field = NDArray[np.float64]  # (SIDE_PX, SIDE_PX)


def write_cells(target: Path, per_class: int, *, seed: int) -> None:
    """Write `target/KIND/NUMBER.png`.

    Args:
        target: Where to.
        per_class: Drawings of each kind.
        seed: Of all of them.
    """
    for place, name in enumerate(KINDS):
        (target / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            rng = np.random.default_rng([seed, place, number])
            draw(name, rng).save(target / name / f"{number:04}.png")


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw a field of three to seven cells of one kind, RGB."""
    body, nuclei = np.zeros((SIDE_PX, SIDE_PX)), np.zeros((SIDE_PX, SIDE_PX))
    for _ in range(rng.integers(3, 8)):
        _add_cell(name, body, nuclei, rng)
    haze = rng.uniform(0.02, 0.12) + rng.normal(0, 0.03, body.shape)
    colours = rng.uniform(0.2, 1.0, (2, 3))
    image = haze[..., None] + body[..., None] * colours[0] + nuclei[..., None] * colours[1]
    noisy = image + rng.normal(0, rng.uniform(0.02, 0.08), image.shape)
    return Image.fromarray((255 * noisy.clip(0, 1)).astype(np.uint8))


def _add_cell(name: str, body: Field, nuclei: Field, rng: np.random.Generator) -> None:
    length, lobes, count, granules = KINDS[name]
    turn, size = rng.uniform(0, 2 * np.pi), rng.uniform(7, 13)
    x, y = _around(rng.uniform(8, SIDE_PX - 8, 2), turn)
    stretch = np.sqrt(length * rng.uniform(0.85, 1.15))
    radius = np.hypot(x / stretch, y * stretch)
    wave = 1 + 0.3 * np.cos(lobes * np.arctan2(y, x) + rng.uniform(0, 6)) * (lobes > 0)
    inside = 1 / (1 + np.exp((radius - size * wave) / 0.8))
    texture = 1.0 + granules * np.where(rng.random(body.shape) < 0.12, 1.6, -0.35)
    body += rng.uniform(0.25, 0.5) * inside * texture
    for number in range(count):
        angle = 2 * np.pi * number / count
        away = 0.0 if count == 1 else 0.45 * size
        shift = np.array([away * stretch * np.cos(angle), away * np.sin(angle) / stretch])
        distance = np.hypot(x - shift[0], y - shift[1])
        nuclei += rng.uniform(0.5, 0.8) / (1 + np.exp((distance - 0.28 * size) / 0.5))


def _around(centre: NDArray[np.float64], turn: float) -> tuple[Field, Field]:
    """Coordinates of all pixels from a centre, turned."""
    rows, columns = np.mgrid[0:SIDE_PX, 0:SIDE_PX].astype(np.float64)
    dx, dy = columns - centre[0], rows - centre[1]
    return dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
