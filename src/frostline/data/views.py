"""Views of an image that are finitely many: the image itself, mirrored, turned.

`frostline.data.transforms.apply_views` makes them. Commands read this: nothing heavy is imported.
"""

# Number of views of each image, for the augmentations that have finitely many.
FINITE_VIEWS = {"none": 1, "flip": 2, "dihedral": 8}
# Those over which test-time augmentation may take the mean.
TTA = tuple(name for name, views in FINITE_VIEWS.items() if views > 1)


def n_views_of(tta: str | None) -> int:
    """Number of views of an image; 1 without test-time augmentation."""
    return 1 if tta is None else FINITE_VIEWS[tta]


def views_up_to(last: int) -> int:
    """Number of views of the smallest set that holds a view, which all sets number alike.

    Raises:
        ValueError: If no set does.
    """
    return min(views for views in FINITE_VIEWS.values() if views > last)
