"""Built-in leaves: drawings of crop species in health and disease, several photos of each leaf.

They are drawings; every report made on them says so.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.data.drawing.leaf import LeafTexture, draw_leaf
from frostline.data.drawing.lesions import CONDITIONS
from frostline.data.drawing.photo import background, draw_pose, give_away, nearly, shoot
from frostline.data.drawing.species import SPECIES
from frostline.data.sample_table import SampleTable, fingerprint_of
from frostline.data.seeds import derive_seed
from frostline.errors import DataError

# Raised whenever the drawings change: it is part of the fingerprint.
DRAWING_VERSION = 1
VARIANTS = ("color", "grayscale", "segmented")
BACKGROUNDS = ("lab", "field")
_TEST_LEAF = "test"


@dataclass(frozen=True)
class LeafDrawer:
    """Draws the photo of an item such as `Apple___rust/leaf00012_photo1`.

    Attributes:
        classes: Class names, for the planted shortcut.
        size_px: Side of the photos.
        variant: "color", "grayscale" or "segmented" (black around the leaf).
        background: "lab" or "field".
        shortcut: Share of the photos whose background has the class's own hue.
        leak: Share of the leaves whose photos are a burst and count as different leaves.
        draw_seed: Same seed, same leaves.
        test_background: Background of the leaves that are drawn for the test alone, which carry no
            shortcut; None for the same as all others.
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
        """The photo, RGB."""
        photo, cover = self._shoot(item)
        if self.variant == "segmented":
            photo = photo * (cover > 0.5)[..., None]
        image = Image.fromarray(np.rint(photo * 255).astype(np.uint8))
        return image.convert("L").convert("RGB") if self.variant == "grayscale" else image

    def mask(self, item: str) -> NDArray[np.bool_]:
        """Where the leaf is in the photo: (S, S)."""
        return self._shoot(item)[1] > 0.5

    def is_leaked(self, leaf: str) -> bool:
        """True if the photos of this leaf pass for photos of different leaves."""
        return self._chance("leak", leaf) < self.leak

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_recent": {}}

    def _chance(self, purpose: str, name: str) -> float:
        return derive_seed(self.draw_seed, purpose, name) / 2**63

    def _random(self, purpose: str, name: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(self.draw_seed, purpose, name))

    def _shoot(self, item: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        leaf = leaf_of(item)
        burst = self.is_leaked(leaf)
        # Each part has a generator of its own: variants and backgrounds show the same leaves.
        scene = leaf if burst else item
        elsewhere = self.test_background is not None and is_test_leaf(leaf)
        kind = self.test_background if elsewhere else self.background
        behind = background(str(kind), self.size_px, self._random("background", scene))
        if not elsewhere and self._chance("shortcut", item) < self.shortcut:
            label = self.classes.index(leaf.split("/")[0])
            behind = give_away(behind, label, len(self.classes))
        pose = draw_pose(self._random("pose", scene))
        if burst:
            pose = nearly(pose, self._random("sway", item))
        return shoot(self._texture(leaf), pose, behind, self._random("light", scene))

    def _texture(self, leaf: str) -> LeafTexture:
        """The leaf itself; the last few are kept, since the photos of a leaf follow each other."""
        texture = self._recent.get(leaf)
        if texture is None:
            crop, condition = leaf.split("/")[0].split("___")
            species = next(known for known in SPECIES if known.name == crop)
            texture = draw_leaf(species, condition, self._random("leaf", leaf))
            if len(self._recent) >= 8:
                self._recent.clear()
            self._recent[leaf] = texture
        return texture


def is_test_leaf(leaf: str) -> bool:
    """Whether a leaf was drawn for the test alone: `Apple___rust/test00012`."""
    return leaf.split("/")[1].startswith(_TEST_LEAF)


def leaf_of(item: str) -> str:
    """The leaf that an item shows: `Apple___rust/leaf00012`."""
    return item.rsplit("_photo", 1)[0]


def load_leaves(
    *,
    n_images: int,
    size_px: int,
    n_species: int,
    photos_per_leaf: int,
    variant: str,
    background: str,
    imbalance: float,
    shortcut: float,
    leak: float,
    draw_seed: int,
    split_by: str = "leaf",
    test_images: int = 0,
    test_background: str | None = None,
    n_conditions: int = len(CONDITIONS),
) -> SampleTable:
    """The table of the built-in leaves; nothing is drawn yet.

    Args:
        n_images: Number of photos in all.
        size_px: Side of the photos.
        n_species: Number of crops.
        photos_per_leaf: Photos of each leaf; they form a group.
        variant: "color", "grayscale" or "segmented".
        background: "lab" or "field".
        imbalance: Images of the largest class over those of the smallest, >= 1.
        shortcut: Share of the photos whose background gives the class away, 0 .. 1.
        leak: Share of the leaves whose near-identical photos count as different leaves, 0 .. 1.
        draw_seed: Same seed, same leaves.
        split_by: "leaf", or "photo": photos of one leaf may stand on both sides of the split.
        test_images: Photos of further leaves that are given as the test split; 0 for none.
        test_background: Background of those further photos, which then carry no shortcut.
        n_conditions: Classes of a crop: healthy alone, or with one to four diseases.

    Raises:
        DataError: If a value is not allowed or there are too few images for the classes.
    """
    _check("data.variant", variant, VARIANTS)
    _check("data.background", background, BACKGROUNDS)
    if not 1 <= n_species <= len(SPECIES):
        raise DataError(
            f"data.n_species={n_species}",
            f"1 .. {len(SPECIES)}: {', '.join(species.name for species in SPECIES)}",
        )
    crops = [species.name for species in SPECIES[:n_species]]
    signs = CONDITIONS[:n_conditions]
    classes = tuple(sorted(f"{crop}___{sign}" for crop in crops for sign in signs))
    sizes = class_sizes(n_images, len(classes), imbalance)
    if min(sizes) <= 2 * photos_per_leaf:
        raise DataError(
            f"{n_images} images give the smallest of {len(classes)} classes {min(sizes)} photos, "
            f"which is fewer than three leaves of {photos_per_leaf} photos",
            todo="raise data.n_images, or lower data.n_species, data.photos_per_leaf or "
            "data.imbalance",
        )
    further = _test_class_sizes(test_images, len(classes), imbalance, test_background)
    drawer = LeafDrawer(
        classes, size_px, variant, background, shortcut, leak, draw_seed, test_background
    )
    items, labels, groups = [], [], []
    for word, counts in (("leaf", sizes), (_TEST_LEAF, further)):
        for label, (name, size) in enumerate(zip(classes, counts, strict=True)):
            for index in range(size):
                leaf_number, photo = divmod(index, photos_per_leaf)
                leaf = f"{name}/{word}{leaf_number:05d}"
                item = f"{leaf}_photo{photo:02d}"
                items.append(item)
                labels.append(label)
                apart = drawer.is_leaked(leaf) or (split_by == "photo" and word == "leaf")
                groups.append(item if apart else leaf)
    columns = np.array(labels, dtype=np.int64), np.array(groups)
    given = np.array(["train"] * n_images + ["test"] * test_images) if test_images else None
    recipe = f"drawing {DRAWING_VERSION} {drawer!r}"
    if test_background is not None:
        recipe += f" test_background={test_background}"
    return SampleTable(
        name="leaves",
        items=tuple(items),
        labels=columns[0],
        groups=columns[1],
        given_split=given,
        classes=classes,
        fingerprint=fingerprint_of(items, *columns, given, classes, [recipe]),
        open_image=drawer,
        notes=("these images are drawings",),
        source=f"drawn by Frostline (version {DRAWING_VERSION}, draw_seed {draw_seed})",
    )


def _test_class_sizes(
    test_images: int, n_classes: int, imbalance: float, test_background: str | None
) -> list[int]:
    """How many further photos there are of each class.

    Raises:
        DataError: If there are too few for the classes, or none for a background of their own.
    """
    if test_images == 0 and test_background is not None:
        raise DataError(
            f"data.test_background={test_background}: only further leaves have a background of "
            "their own, and there are none",
            todo="say how many photos the test has: data.test_images=600",
        )
    counts = class_sizes(test_images, n_classes, imbalance)
    if test_images and min(counts) == 0:
        raise DataError(
            f"data.test_images={test_images}: the smallest of {n_classes} classes gets none",
            "0 (a share of the leaves is the test), or several for each class",
        )
    return counts


def class_sizes(n_images: int, n_classes: int, imbalance: float) -> list[int]:
    """Images of each class: falling by a constant factor, `imbalance` times from first to last.

    Returns:
        Sizes that sum to n_images.
    """
    weights = imbalance ** -np.linspace(0, 1, n_classes)
    exact = n_images * weights / weights.sum()
    sizes = np.floor(exact).astype(np.int64)
    rest = np.argsort(sizes - exact, kind="stable")[: n_images - sizes.sum()]
    sizes[rest] += 1
    return [int(size) for size in sizes]


def _check(key: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise DataError(f"{key}={given}", ", ".join(allowed))
