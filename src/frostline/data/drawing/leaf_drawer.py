"""Draw the photo of an item of the built-in data set."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.data.drawing.leaf import SPECIES, LeafTexture, draw_leaf
from frostline.data.drawing.photo import (
    background,
    draw_pose,
    jitter_pose,
    take_photo,
    tint_background,
)
from frostline.data.seeds import derive_seed

# In item names: the leaves that are drawn only for the test.
TEST_LEAF = "test"
# Photos of a leaf follow each other, so that a few textures are enough to draw each leaf once.
MAX_TEXTURES = 8


@dataclass(frozen=True)
class LeafDrawer:
    """Draws the photo of an item such as `Apple___rust/leaf00012_photo1`.

    Attributes:
        classes: Class names, for the planted shortcut.
        size_px: Side of the photos.
        variant: "color", "grayscale" or "segmented" (black around the leaf).
        background: "lab" or "field".
        shortcut: Share of the photos whose background has the hue of the class.
        leak: Share of the leaves whose photos are a burst but count as different leaves.
        draw_seed: Same seed, same leaves.
        test_background: Background of the leaves that are drawn only for the test, which have no
            shortcut; None: the same background as all others.
    """

    classes: tuple[str, ...]
    size_px: int
    variant: str
    background: str
    shortcut: float
    leak: float
    draw_seed: int
    test_background: str | None = field(default=None, repr=False)
    _recent: dict[str, LeafTexture] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, item: str) -> Image.Image:
        """Draw the photo as RGB."""
        photo, cover = self._draw(item)
        if self.variant == "segmented":
            photo = photo * (cover > 0.5)[..., None]
        image = Image.fromarray(np.rint(photo * 255).astype(np.uint8))
        return image.convert("L").convert("RGB") if self.variant == "grayscale" else image

    def mask(self, item: str) -> NDArray[np.bool_]:
        """Return the pixels of the leaf in the photo: (S, S)."""
        return self._draw(item)[1] > 0.5

    def is_leaked(self, leaf: str) -> bool:
        """Return whether the photos of this leaf count as photos of different leaves."""
        return self._chance("leak", leaf) < self.leak

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recent": {}}

    def _chance(self, purpose: str, name: str) -> float:
        return derive_seed(self.draw_seed, purpose, name) / 2**63

    def _random(self, purpose: str, name: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(self.draw_seed, purpose, name))

    def _draw(self, item: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        leaf = leaf_of(item)
        is_burst = self.is_leaked(leaf)
        # Each part has its own generator, so that variants and backgrounds show the same leaves.
        scene = leaf if is_burst else item
        has_test_background = self.test_background is not None and is_test_leaf(leaf)
        kind = self.test_background if has_test_background else self.background
        behind = background(str(kind), self.size_px, self._random("background", scene))
        if not has_test_background and self._chance("shortcut", item) < self.shortcut:
            label = self.classes.index(leaf.split("/")[0])
            behind = tint_background(behind, label, len(self.classes))
        pose = draw_pose(self._random("pose", scene))
        if is_burst:
            pose = jitter_pose(pose, self._random("sway", item))
        return take_photo(self._texture(leaf), pose, behind, self._random("light", scene))

    def _texture(self, leaf: str) -> LeafTexture:
        """Return the texture of a leaf, drawn on the first call."""
        texture = self._recent.get(leaf)
        if texture is None:
            crop, condition = leaf.split("/")[0].split("___")
            species = next(one for one in SPECIES if one.name == crop)
            texture = draw_leaf(species, condition, self._random("leaf", leaf))
            if len(self._recent) >= MAX_TEXTURES:
                self._recent.clear()
            self._recent[leaf] = texture
        return texture


def is_test_leaf(leaf: str) -> bool:
    """Return whether a leaf is drawn only for the test: `Apple___rust/test00012`."""
    return leaf.split("/")[1].startswith(TEST_LEAF)


def leaf_of(item: str) -> str:
    """Return the leaf that an item shows: `Apple___rust/leaf00012`."""
    return item.rsplit("_photo", 1)[0]
