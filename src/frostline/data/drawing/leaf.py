"""One physical leaf: its texture, drawn once and photographed several times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.drawing.lesions import infect, smooth_noise
from frostline.data.drawing.species import ANGLES, Species, outline, vein_lines

# Side of the texture: enough for photos of 128 px, at half the cost of a finer one.
TEXTURE_PX = 144
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LeafTexture:
    """A flat leaf, tip up.

    Attributes:
        colour: (T, T, 3) in 0 .. 1, also beyond the edge, so that no background mixes in there.
        cover: (T, T), 1 on the leaf, 0 beside it, between at the edge.
    """

    colour: Floats
    cover: Floats


def draw_leaf(species: Species, condition: str, generator: np.random.Generator) -> LeafTexture:
    """Draw one individual.

    Args:
        species: Its shape.
        condition: One of `CONDITIONS`.
        generator: Source of the variation between individuals.
    """
    size = TEXTURE_PX
    axis = np.linspace(-1.08, 1.08, size)
    x, y = axis[None, :], -axis[:, None]
    # A bent midrib: the whole leaf follows it.
    x = x + generator.normal(0, 0.10) * (y**2 - 0.4)
    y = np.broadcast_to(y, x.shape)
    angle = np.arctan2(x, y) % (2 * np.pi)
    radius = outline(species, generator)
    edge = radius[(angle * (ANGLES / (2 * np.pi))).astype(np.int64) % ANGLES]
    cover = np.clip((edge - np.hypot(x, y)) * size / 2.4 + 0.5, 0, 1)
    stalk = (np.abs(x) < 0.022) & (y < -0.3)
    cover = np.maximum(cover, stalk)

    colour = _green(size, generator)
    veins = vein_lines(species, x, y, generator)[..., None]
    light_vein = np.array([0.62, 0.70, 0.40]) * generator.uniform(0.8, 1.1)
    colour += veins * generator.uniform(0.25, 0.55) * (light_vein - colour)
    infect(condition, colour, cover, generator)
    return LeafTexture(np.clip(colour, 0, 1), cover)


def _green(size: int, generator: np.random.Generator) -> Floats:
    """Draw the base colour: dark to yellowish green, mottled, in places paler."""
    dark, pale = np.array([0.10, 0.27, 0.08]), np.array([0.46, 0.56, 0.20])
    base = dark + generator.uniform(0.1, 0.9) * (pale - dark)
    mottle = 1 + 0.10 * smooth_noise(size, 9, generator) + 0.05 * smooth_noise(size, 36, generator)
    colour = base * mottle
    paling = np.clip(0.5 * smooth_noise(size, 3, generator) + generator.uniform(-0.8, 0.4), 0, 0.6)
    return np.asarray(colour + paling * (np.array([0.66, 0.64, 0.26]) - colour))
