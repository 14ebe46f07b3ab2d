"""The built-in leaves: drawings of healthy and diseased crops, several photos of each leaf.

They are drawings, and every report on them states it.
"""

import numpy as np

from frostline.data.drawing.leaf import SPECIES
from frostline.data.drawing.leaf_drawer import TEST_LEAF, LeafDrawer
from frostline.data.drawing.lesions import CONDITIONS
from frostline.data.sample_table import SampleTable, fingerprint_of
from frostline.errors import DataError

# Raised whenever the drawings change: it is part of the fingerprint.
DRAWING_VERSION = 1
# How the origin of such images begins.
DRAWN = "drawn by Frostline"
VARIANTS = ("color", "grayscale", "segmented")
BACKGROUNDS = ("lab", "field")


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
    """Build the table of the built-in leaves; the images are drawn when they are opened.

    Args:
        n_images: Number of photos, without those of `test_images`.
        size_px: Side of the photos.
        n_species: Number of crops.
        photos_per_leaf: Photos of each leaf, which form a group.
        variant: "color", "grayscale" or "segmented".
        background: "lab" or "field".
        imbalance: Images of the largest class over those of the smallest, >= 1.
        shortcut: Share of the photos whose background reveals the class, 0 .. 1.
        leak: Share of the leaves whose near-identical photos count as different leaves, 0 .. 1.
        draw_seed: Same seed, same leaves.
        split_by: "leaf", or "photo": photos of one leaf may be in different splits.
        test_images: Photos of additional leaves that form the test split; 0 for none.
        test_background: Background of those additional photos, which then have no shortcut.
        n_conditions: Classes per crop: healthy, and up to four diseases.

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
    conditions = CONDITIONS[:n_conditions]
    classes = tuple(sorted(f"{crop}___{condition}" for crop in crops for condition in conditions))
    sizes = class_sizes(n_images, len(classes), imbalance)
    if min(sizes) <= 2 * photos_per_leaf:
        raise DataError(
            f"{n_images} images give the smallest of {len(classes)} classes {min(sizes)} photos, "
            f"which is fewer than three leaves of {photos_per_leaf} photos",
            todo="raise data.n_images, or lower data.n_species, data.photos_per_leaf or "
            "data.imbalance",
        )
    test_sizes = _test_class_sizes(test_images, len(classes), imbalance, test_background)
    drawer = LeafDrawer(
        classes, size_px, variant, background, shortcut, leak, draw_seed, test_background
    )
    items, labels, groups = [], [], []
    for kind, counts in (("leaf", sizes), (TEST_LEAF, test_sizes)):
        for label, (name, size) in enumerate(zip(classes, counts, strict=True)):
            for index in range(size):
                leaf_number, photo = divmod(index, photos_per_leaf)
                leaf = f"{name}/{kind}{leaf_number:05d}"
                item = f"{leaf}_photo{photo:02d}"
                items.append(item)
                labels.append(label)
                is_ungrouped = drawer.is_leaked(leaf) or (split_by == "photo" and kind == "leaf")
                groups.append(item if is_ungrouped else leaf)
    label_column, group_column = np.array(labels, dtype=np.int64), np.array(groups)
    given = np.array(["train"] * n_images + ["test"] * test_images) if test_images else None
    recipe = f"drawing {DRAWING_VERSION} {drawer!r}"
    if test_background is not None:
        recipe += f" test_background={test_background}"
    return SampleTable(
        name="leaves",
        items=tuple(items),
        labels=label_column,
        groups=group_column,
        given_split=given,
        classes=classes,
        fingerprint=fingerprint_of(items, label_column, group_column, given, classes, [recipe]),
        open_image=drawer,
        notes=("these images are drawings",),
        source=f"{DRAWN} (version {DRAWING_VERSION}, draw_seed {draw_seed})",
    )


def _test_class_sizes(
    test_images: int, n_classes: int, imbalance: float, test_background: str | None
) -> list[int]:
    """Compute the number of additional test photos of each class.

    Raises:
        DataError: If there are too few for the classes, or none although a background is given.
    """
    if test_images == 0 and test_background is not None:
        raise DataError(
            f"data.test_background={test_background}: only additional test leaves "
            "have a background of their own, and there are none",
            todo="give the number of test photos: data.test_images=600",
        )
    counts = class_sizes(test_images, n_classes, imbalance)
    if test_images and min(counts) == 0:
        raise DataError(
            f"data.test_images={test_images}: the smallest of {n_classes} classes gets none",
            "0 (the test is a share of the leaves), or several for each class",
        )
    return counts


def class_sizes(n_images: int, n_classes: int, imbalance: float) -> list[int]:
    """Compute the number of images per class, which falls by a constant factor.

    The first class has `imbalance` times the images of the last.

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
