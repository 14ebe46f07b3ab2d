"""A photo of a drawn leaf: pose, background, light, camera."""

import colorsys
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from frostline.data.drawing.leaf import LeafTexture
from frostline.data.drawing.lesions import smooth_noise

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Position and shape of the leaf in the photo.

    Attributes:
        turn_rad: Rotation.
        scale: Length of the leaf as a share of the photo's side.
        squeeze: Foreshortening of the width, in (0, 1].
        shear: Tilt.
        shift: Offset of the centre (across, down) as shares of the side.
    """

    turn_rad: float
    scale: float
    squeeze: float
    shear: float
    shift: tuple[float, float]


def draw_pose(generator: np.random.Generator) -> Pose:
    """Draw a random pose."""
    return Pose(
        generator.uniform(0, 2 * math.pi),
        generator.uniform(0.62, 1.0),
        generator.uniform(0.78, 1.0),
        generator.normal(0, 0.10),
        (generator.uniform(-0.10, 0.10), generator.uniform(-0.10, 0.10)),
    )


def jitter_pose(pose: Pose, generator: np.random.Generator) -> Pose:
    """Change a pose slightly, as an unsteady hand does: the next photo of a burst."""
    sway = generator.uniform(-1, 1, 4)
    return Pose(
        pose.turn_rad + 0.012 * sway[0],
        pose.scale * (1 + 0.008 * sway[1]),
        pose.squeeze,
        pose.shear,
        (pose.shift[0] + 0.006 * sway[2], pose.shift[1] + 0.006 * sway[3]),
    )


def place_texture(texture: Floats, pose: Pose, size_px: int) -> Floats:
    """Place a texture in the frame of the photo.

    Args:
        texture: (T, T) or (T, T, 3) in 0 .. 1.
        pose: Its position and shape.
        size_px: Side of the photo.

    Returns:
        (size_px, size_px) or (size_px, size_px, 3) in 0 .. 1.
    """
    side = len(texture)
    cos, sin = math.cos(pose.turn_rad), math.sin(pose.turn_rad)
    turn = np.array([[cos, -sin], [sin, cos]])
    shape = np.array([[pose.squeeze, pose.shear], [0.0, 1.0]])
    back = np.linalg.inv(turn @ shape * (pose.scale * size_px / side))
    middle = size_px * (0.5 + np.array(pose.shift))
    offset = side / 2 - back @ middle
    matrix = (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1])
    image = Image.fromarray((texture * 255).astype(np.uint8))
    in_layout = image.transform(
        (size_px, size_px), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.asarray(in_layout, dtype=np.float64) / 255


def background(kind: str, size_px: int, generator: np.random.Generator) -> Floats:
    """Draw what is behind the leaf: (S, S, 3) in 0 .. 1.

    Args:
        kind: "lab", paper under even light, or "field", soil, straw and other leaves.
        size_px: Side.
        generator: Source of randomness.
    """
    if kind == "lab":
        tint = 1 + generator.normal(0, 0.06, 3)
        paper = generator.uniform(0.35, 0.85) * tint
        return paper * (1 + 0.03 * smooth_noise(size_px, 24, generator))
    soil = np.array([0.36, 0.28, 0.19]) * generator.uniform(0.6, 1.3)
    grass = np.array([0.24, 0.36, 0.13]) * generator.uniform(0.6, 1.3)
    clouds = smooth_noise(size_px, 5, generator) + 0.6 * smooth_noise(size_px, 14, generator)
    share = np.clip(0.5 + 0.6 * clouds + generator.uniform(-0.5, 0.5), 0, 1)
    ground = soil + share * (grass - soil)
    canvas = Image.fromarray((np.clip(ground, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(generator.integers(6, 18))):
        _clutter(draw, size_px, generator)
    soft = canvas.filter(ImageFilter.GaussianBlur(generator.uniform(0.6, 2.2) * size_px / 128))
    grain = 1 + 0.16 * smooth_noise(size_px, max(2, size_px // 3), generator)
    return np.asarray(soft, dtype=np.float64) / 255 * grain


def _clutter(draw: ImageDraw.ImageDraw, size_px: int, generator: np.random.Generator) -> None:
    """Draw a blade of grass, a straw or another leaf."""
    middle = generator.uniform(-0.1, 1.1, 2) * size_px
    length = generator.uniform(0.15, 0.6) * size_px
    width = length * generator.choice([0.06, 0.12, 0.45])
    angle = generator.uniform(0, math.pi)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    steps = np.linspace(0, 2 * math.pi, 14)
    points = [
        tuple(middle + length / 2 * math.cos(t) * along + width / 2 * math.sin(t) * across)
        for t in steps
    ]
    hue = generator.choice([0.09, 0.12, 0.24, 0.30])
    colour = colorsys.hsv_to_rgb(
        hue + generator.normal(0, 0.015), generator.uniform(0.35, 0.75), generator.uniform(0.2, 0.7)
    )
    draw.polygon(points, fill=tuple(round(255 * value) for value in colour))


def tint_background(scene: Floats, label: int, n_classes: int) -> Floats:
    """Plant the shortcut: a background whose hue depends on the class.

    Args:
        scene: (S, S, 3) in 0 .. 1.
        label: The class.
        n_classes: Number of classes.

    Returns:
        The scene in the tint of the class.
    """
    tint = np.array(colorsys.hsv_to_rgb(label / n_classes, 0.65, 0.75))
    return 0.45 * scene + 0.55 * tint


def take_photo(
    texture: LeafTexture, pose: Pose, behind: Floats, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Combine leaf and background, with light and exposure.

    Returns:
        The photo (S, S, 3) in 0 .. 1 and the mask of the leaf (S, S) in 0 .. 1.
    """
    size = len(behind)
    cover = place_texture(texture.cover, pose, size)
    colour = place_texture(texture.colour, pose, size)
    shadow = np.roll(cover, tuple(generator.integers(-size // 24, size // 24 + 1, 2)), (0, 1))
    scene = behind * (1 - generator.uniform(0.15, 0.5) * shadow[..., None])
    axis = np.linspace(-0.5, 0.5, size)
    angle = generator.uniform(0, 2 * math.pi)
    slope = axis[:, None] * math.sin(angle) + axis[None, :] * math.cos(angle)
    light = 1 + generator.uniform(0, 0.5) * slope[..., None]
    folds = 1 + 0.10 * smooth_noise(size, 6, generator)
    photo = scene + cover[..., None] * (colour * folds - scene)
    white_balance = 1 + generator.normal(0, 0.05, 3)
    photo = photo * light * white_balance * generator.uniform(0.7, 1.35)
    photo = np.clip(photo, 0, 1) ** generator.uniform(0.8, 1.25)
    photo += generator.uniform(0.005, 0.03) * generator.standard_normal(photo.shape)
    return np.clip(photo, 0, 1), cover
