"""Draw symbols as ROOT/class/*.png: a data set very unlike photographs.

    python experiments/symbols.py symbols
    python -m src.train -m data=folder data.path=symbols backbone=... freeze=...

Ten kinds of outlines in one dark colour on light paper, each rotated, scaled, squeezed and drawn
with a wobbly line of random width, with a few stray strokes. Equal seeds give equal drawings.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE_PX = 128
OVERSAMPLED = 3
Points = np.ndarray  # (n, 2) in -1 .. 1


def _polygon(corners: int, *, inner: float | None = None) -> Points:
    """A closed polygon; with `inner` a star whose dents lie at that radius."""
    count = corners if inner is None else 2 * corners
    angles = np.linspace(0, 2 * np.pi, count + 1)
    radius = np.ones(count + 1)
    if inner is not None:
        radius[1::2] = inner
    return np.stack([radius * np.sin(angles), -radius * np.cos(angles)], axis=1)


def _arc(start: float, end: float, grow: float = 0.0, turns: int = 60) -> Points:
    """A part of a circle, or of a spiral whose radius falls by `grow` over its length."""
    angles = np.linspace(start, end, turns)
    radius = 1 - grow * np.linspace(0, 1, turns)
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1)


def _lines(*lines: tuple[tuple[float, float], ...]) -> list[Points]:
    return [np.array(line, dtype=np.float64) for line in lines]


SYMBOLS: dict[str, Callable[[], list[Points]]] = {
    "arrow": lambda: _lines(((-1, 0), (1, 0)), ((0.4, -0.5), (1, 0), (0.4, 0.5))),
    "circle": lambda: [_arc(0, 2 * np.pi)],
    "crescent": lambda: [_arc(0.6, 2 * np.pi - 0.6), _arc(0.9, 2 * np.pi - 0.9) * 0.72 + [0.38, 0]],
    "cross": lambda: _lines(((-1, 0), (1, 0)), ((0, -1), (0, 1))),
    "hexagon": lambda: [_polygon(6)],
    "house": lambda: _lines(
        ((-0.8, 1), (-0.8, -0.1), (0, -1), (0.8, -0.1), (0.8, 1), (-0.8, 1)),
    ),
    "pentagon": lambda: [_polygon(5)],
    "spiral": lambda: [_arc(0, 5 * np.pi, grow=0.9, turns=140)],
    "star": lambda: [_polygon(5, inner=0.42)],
    "triangle": lambda: [_polygon(3)],
}


def _random_pose(rng: np.random.Generator) -> Callable[[Points], Points]:
    """A random pose: rotation, squeeze, scale and shift, in pixels."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    squeeze = np.diag([1.0, rng.uniform(0.6, 1.0)])
    scale = rng.uniform(0.16, 0.38) * SIDE_PX
    room = SIDE_PX / 2 - scale
    shift = SIDE_PX / 2 + rng.uniform(-room, room, 2)
    return lambda own: scale * own @ squeeze @ turn.T + shift


def _wobbled(points: Points, rng: np.random.Generator) -> Points:
    """Resample a line with more points, each moved a little at random."""
    steps = np.linspace(0, len(points) - 1, 80)
    whole = np.stack(
        [np.interp(steps, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], axis=1
    )
    wobble = rng.normal(0, 1, whole.shape)
    kernel = np.ones(9) / 9
    for axis in (0, 1):
        wobble[:, axis] = np.convolve(wobble[:, axis], kernel, mode="same")
    return whole + rng.uniform(0.02, 0.14) * wobble


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw one symbol, RGB, `SIDE_PX` on each side."""
    paper = rng.integers(205, 256, 3)
    ink = rng.integers(0, 110, 3)
    side = SIDE_PX * OVERSAMPLED
    image = Image.new("RGB", (side, side), tuple(int(value) for value in paper))
    pen = ImageDraw.Draw(image)
    width = int(rng.integers(2, 6)) * OVERSAMPLED
    strokes = SYMBOLS[name]()
    pose = _random_pose(rng)
    for stroke in strokes:
        line = OVERSAMPLED * pose(_wobbled(stroke, rng))
        pen.line([tuple(point) for point in line], fill=tuple(map(int, ink)), width=width)
    for _ in range(int(rng.integers(1, 4))):  # stray strokes
        start, end = rng.uniform(0, side, (2, 2))
        end = start + 0.25 * (end - start)
        pen.line([tuple(start), tuple(end)], fill=tuple(map(int, ink)), width=width)
    image = image.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 1.0))))
    noisy = np.asarray(image, dtype=np.float64) + rng.normal(0, rng.uniform(2, 10), (1, 1, 3))
    noisy = noisy + rng.normal(0, 6, noisy.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="where ROOT/class/*.png is made")
    parser.add_argument("--per-class", type=int, default=40, help="drawings of each kind (40)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for place, name in enumerate(SYMBOLS):
        (options.target / name).mkdir(parents=True, exist_ok=True)
        for number in range(options.per_class):
            rng = np.random.default_rng([options.seed, place, number])
            draw(name, rng).save(options.target / name / f"{name}{number:04}.png")
    print(
        f"{len(SYMBOLS)} kinds of symbols, {options.per_class} drawings of each: {options.target}"
    )


if __name__ == "__main__":
    main()
