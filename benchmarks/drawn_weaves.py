"""Draw pieces of woven cloth: a data set on which no rule or default was decided.

Seven weaves that differ in which thread lies above at each crossing. Colours of warp and weft,
thickness of the threads, turn, light and noise vary at random. Equal seeds give equal drawings.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 96
Draft = NDArray[np.int64]  # 1 where the warp lies above the weft, 0 where below


def _shifted(row: list[int], steps: list[int]) -> Draft:
    """A draft whose rows are one row, each moved by so many places."""
    return np.array([np.roll(row, step) for step in steps])


DRAFTS: dict[str, Draft] = {
    "basket": np.kron(np.array([[1, 0], [0, 1]]), np.ones((2, 2), dtype=np.int64)),
    "herringbone": _shifted([1, 1, 0, 0], [0, 1, 2, 3, 2, 1]),
    "plain": np.array([[1, 0], [0, 1]]),
    "rib": np.kron(np.array([[1, 0], [0, 1]]), np.ones((3, 1), dtype=np.int64)),
    "satin": _shifted([1, 0, 0, 0, 0], [0, 2, 4, 1, 3]),
    "twill": _shifted([1, 1, 0, 0], [0, 1, 2, 3]),
    "twill_steep": _shifted([1, 1, 1, 0, 0, 0], [0, 2, 4]),
}


def write_weaves(target: Path, per_class: int, *, seed: int) -> None:
    """Write `target/WEAVE/NUMBER.png`.

    Args:
        target: Where to.
        per_class: Drawings of each weave.
        seed: Of all of them.
    """
    for place, name in enumerate(DRAFTS):
        (target / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            rng = np.random.default_rng([seed, place, number])
            draw(name, rng).save(target / name / f"{number:04}.png")


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw one piece of cloth, RGB, with threads of 4 to 9 pixels."""
    draft, width, turn = DRAFTS[name], rng.uniform(4, 9), rng.uniform(-0.6, 0.6)
    rows, columns = np.mgrid[0:SIDE_PX, 0:SIDE_PX] + rng.uniform(0, 50, (2, 1, 1))
    along = (columns * np.cos(turn) - rows * np.sin(turn)) / width
    across = (columns * np.sin(turn) + rows * np.cos(turn)) / (width * rng.uniform(0.8, 1.25))
    warp, weft = np.floor(along).astype(int), np.floor(across).astype(int)
    above = draft[weft % draft.shape[0], warp % draft.shape[1]][..., None] == 1
    round_warp = np.sqrt(1 - (2 * (along - warp) - 1) ** 2)[..., None]
    round_weft = np.sqrt(1 - (2 * (across - weft) - 1) ** 2)[..., None]
    colours = rng.uniform(0.25, 0.9, (2, 3))
    shade = rng.uniform(0.2, 0.6)
    cloth = np.where(
        above,
        colours[0] * (1 - shade + shade * round_warp),
        colours[1] * (1 - shade + shade * round_weft),
    )
    noisy = cloth * rng.uniform(0.7, 1.1) + rng.normal(0, rng.uniform(0.03, 0.12), cloth.shape)
    return Image.fromarray((255 * noisy.clip(0, 1)).astype(np.uint8))
