"""One physical leaf: the shape of its species, and its texture, drawn once for several photos."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.data.drawing.lesions import infect, smooth_noise

ANGLES = 720
# Side of the texture: enough for photos of 128 px, at half the cost of a finer one.
TEXTURE_PX = 144
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Species:
    """The shape of a crop's leaf.

    Attributes:
        name: The crop.
        width: Width over length.
        taper: How far the widest part lies towards the base, -1 (tip) .. 1 (base).
        point: How pointed the tip is, 0 (round) .. 1.
        lobes: Number of lobes; 0 for none.
        lobe_depth: Depth of the lobes as a share of the radius.
        teeth: Number of teeth along the margin; 0 for an entire margin.
        tooth_depth: Depth of the teeth as a share of the radius.
        notch: Depth of the notch at the base as a share of the radius.
        veins: "pinnate", "palmate" or "parallel".
        n_veins: Number of side veins over the length, or of rays.
    """

    name: str
    width: float
    taper: float
    point: float
    lobes: int
    lobe_depth: float
    teeth: int
    tooth_depth: float
    notch: float
    veins: str
    n_veins: int


SPECIES = (
    Species("Apple", 0.62, 0.1, 0.5, 0, 0.0, 44, 0.045, 0.0, "pinnate", 7),
    Species("Grape", 0.95, 0.1, 0.2, 5, 0.30, 30, 0.080, 0.40, "palmate", 5),
    Species("Potato", 0.66, 0.2, 0.5, 0, 0.0, 0, 0.0, 0.0, "pinnate", 6),
    Species("Tomato", 0.70, 0.3, 0.6, 9, 0.24, 0, 0.0, 0.10, "pinnate", 5),
    Species("Maize", 0.24, 0.1, 0.8, 0, 0.0, 0, 0.0, 0.0, "parallel", 5),
    Species("Strawberry", 0.88, -0.2, 0.0, 0, 0.0, 20, 0.110, 0.0, "pinnate", 9),
    Species("Cucumber", 0.98, 0.2, 0.3, 5, 0.12, 52, 0.035, 0.50, "palmate", 7),
    Species("Bean", 0.80, 0.6, 0.9, 0, 0.0, 0, 0.0, 0.10, "palmate", 3),
)


def outline(species: Species, generator: np.random.Generator) -> Floats:
    """Draw the radius of one leaf over the angle, with individual variation.

    Args:
        species: The shape to vary.
        generator: Source of the variation.

    Returns:
        (ANGLES) radius in (0, 1], the angle running from the tip clockwise in equal steps.
    """
    theta = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    along, across = np.cos(theta), np.sin(theta)
    width = species.width * generator.uniform(0.85, 1.15)
    # The half width shrinks at the end opposite to the taper.
    half_width = width * (1 - 0.45 * species.taper * generator.uniform(0.6, 1.3) * along)
    radius = 1 / np.sqrt(along**2 + (across / np.maximum(half_width, 0.08)) ** 2)
    tip = np.exp(-((np.minimum(theta, 2 * np.pi - theta) / 0.22) ** 2))
    radius *= 1 + 0.22 * species.point * generator.uniform(0.6, 1.4) * tip
    if species.lobes:
        depth = species.lobe_depth * generator.uniform(0.7, 1.3)
        radius *= 1 - depth * (0.5 - 0.5 * np.cos(species.lobes * theta)) ** 1.5
    if species.teeth:
        phase = species.teeth * theta / (2 * np.pi) + 0.4 * np.sin(theta + generator.uniform(0, 6))
        depth = species.tooth_depth * generator.uniform(0.7, 1.3)
        radius *= 1 - depth * (phase % 1.0)
    if species.notch:
        base = np.abs(theta - np.pi)
        radius *= 1 - species.notch * generator.uniform(0.7, 1.2) * np.exp(-((base / 0.25) ** 2))
    for order in (1, 2, 3):
        sway = generator.normal(0, 0.025) * np.cos(order * theta + generator.uniform(0, 2 * np.pi))
        radius *= 1 + sway
    return np.asarray(radius / radius.max())


def vein_lines(species: Species, x: Floats, y: Floats, generator: np.random.Generator) -> Floats:
    """Compute the intensity of a vein at each point.

    Args:
        species: The kind of veins.
        x: (H, W) across the leaf, -1 .. 1.
        y: (H, W) along the leaf, -1 (base) .. 1 (tip).
        generator: Source of number and angle within the species.

    Returns:
        (H, W) in 0 .. 1.
    """
    midrib = np.exp(-((x / 0.022) ** 2))
    n = species.n_veins * generator.uniform(0.9, 1.15)
    if species.veins == "parallel":
        waves = np.cos(np.pi * x / species.width * n) ** 16
        return np.maximum(midrib, 0.5 * waves)
    if species.veins == "palmate":
        angle = np.arctan2(x, y + 0.65)
        distance = np.hypot(x, y + 0.65)
        rays = np.cos(angle * n * 0.9) ** 2
        thin = np.clip(1 - (1 - rays) * (distance + 0.05) ** 2 * 160 / n, 0, 1)
        return np.maximum(thin, 0.35 * _side_veins(x, y, n * 1.6, 0.8))
    return np.maximum(midrib, 0.8 * _side_veins(x, y, n, generator.uniform(0.6, 1.1)))


def _side_veins(x: Floats, y: Floats, n: float, slope: float) -> Floats:
    phase = (y - slope * np.abs(x)) * n / 2
    off = np.abs(phase - np.rint(phase)) * 2 / n
    return np.exp(-((off / 0.016) ** 2))


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
