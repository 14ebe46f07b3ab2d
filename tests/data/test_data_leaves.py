import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from frostline.data.drawing.leaf_drawer import leaf_of
from frostline.data.sources.leaves import class_sizes
from frostline.data.splits import split_table
from frostline.errors import DataError


def drawn(table, items=None):
    return np.stack([np.asarray(table.open_image(item)) for item in items or table.items])


def test_deterministic_by_seed(leaves):
    first, again, other = leaves(), leaves(), leaves(draw_seed=1)
    some = first.items[::9]
    # Drawn in another order and after pickling: an image depends on nothing but its name.
    fresh = pickle.loads(pickle.dumps(again))
    backwards = drawn(fresh, some[::-1])[::-1]
    assert np.array_equal(drawn(first, some), backwards)
    assert not np.array_equal(drawn(first, some), drawn(other, some))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_species_by_condition(leaves):
    table = leaves(n_species=3, n_images=90)
    assert len(table.classes) == 15
    assert table.classes[:5] == tuple(
        f"Apple___{sign}" for sign in ("blight", "healthy", "mildew", "rust", "spots")
    )
    assert set(table.counts().values()) == {6}
    assert len(table) == 90


def test_photos_of_a_leaf_are_a_group_and_differ(leaves):
    table = leaves(photos_per_leaf=3, n_images=90)
    groups, sizes = np.unique(table.groups, return_counts=True)
    assert set(sizes) == {3}
    assert {leaf_of(item) for item in table.items} == set(groups)
    first, second = drawn(table, table.items[:2]).astype(float)
    assert np.abs(first - second).mean() > 10


def test_variants_show_the_same_leaves(leaves):
    item = leaves().items[7]
    color = np.asarray(leaves().open_image(item))
    grey = np.asarray(leaves(variant="grayscale").open_image(item))
    segmented = np.asarray(leaves(variant="segmented").open_image(item))
    assert np.array_equal(grey[..., 0], grey[..., 2])
    luminance = np.asarray(Image.fromarray(color).convert("L"))
    assert np.array_equal(grey[..., 1], luminance)
    mask = leaves().open_image.mask(item)
    assert np.array_equal(segmented[mask], color[mask])
    assert not segmented[~mask].any()
    assert 0.05 < mask.mean() < 0.7


def test_backgrounds_differ_behind_the_same_leaf(leaves):
    item = leaves().items[7]
    lab, field = leaves(), leaves(background="field")
    assert np.array_equal(lab.open_image.mask(item), field.open_image.mask(item))
    outside = ~lab.open_image.mask(item)
    spread = [np.asarray(t.open_image(item))[outside].std(axis=0).mean() for t in (lab, field)]
    assert spread[1] > spread[0]


def test_imbalance(leaves):
    counts = list(leaves(n_images=300, imbalance=8.0, n_species=1).counts().values())
    assert sum(counts) == 300
    assert counts[0] / counts[-1] == pytest.approx(8, rel=0.1)
    assert class_sizes(10, 3, 1.0) == [4, 3, 3]


def test_listing_a_hundred_thousand_images_is_fast(leaves):
    table = leaves(n_images=100_000, n_species=8, photos_per_leaf=5)
    assert len(table) == 100_000
    assert len(np.unique(table.groups)) == 20_000


def test_too_few_images(leaves):
    with pytest.raises(DataError, match="fewer than three leaves of 2 photos"):
        leaves(n_images=40)


@pytest.mark.parametrize(
    ("key", "value"), [("n_species", 9), ("variant", "sepia"), ("background", "sea")]
)
def test_unknown_values(leaves, key, value):
    with pytest.raises(DataError, match=f"data.{key}={value}"):
        leaves(**{key: value})


def corner_accuracy(table):
    """How well eight border pixels alone give the class."""
    images = drawn(table)
    edge = images[:, [0, 0, 0, 24, 24, -1, -1, -1], [0, 24, -1, 0, -1, 0, 24, -1]]
    splits = split_table(table, val_frac=0.2, test_frac=0.3, seed=0)
    features = edge.reshape(len(images), -1) / 255
    model = KNeighborsClassifier(3).fit(features[splits.train], table.labels[splits.train])
    return model.score(features[splits.test], table.labels[splits.test])


def test_planted_shortcut_gives_the_class_away(leaves):
    assert corner_accuracy(leaves(n_images=200)) < 0.3
    assert corner_accuracy(leaves(n_images=200, shortcut=1.0)) > 0.45


def test_planted_leak_puts_leaves_into_several_splits(leaves):
    table = leaves(leak=0.5, n_images=200, photos_per_leaf=2)
    torn = [group for group in table.groups if "_photo" in group]
    assert 0.3 < len(torn) / len(table) < 0.7
    first, second = drawn(table, [torn[0], torn[1]]).astype(float)
    assert leaf_of(torn[0]) == leaf_of(torn[1])
    assert np.abs(first - second).mean() < 10
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    train = {leaf_of(table.items[row]) for row in splits.train}
    assert any(leaf_of(table.items[row]) in train for row in splits.test)


def test_raw_pixels_are_not_enough(leaves):
    table = leaves(n_images=400, n_species=4, photos_per_leaf=3, size_px=64)
    images = drawn(table).reshape(400, 16, 4, 16, 4, 3).mean((2, 4)).reshape(400, -1) / 255
    splits = split_table(table, val_frac=0.2, test_frac=0.2, seed=0)
    model = RidgeClassifier(alpha=100.0)
    model.fit(images[splits.train], table.labels[splits.train])
    score = model.score(images[splits.test], table.labels[splits.test])
    assert score < 0.3  # chance is 0.05; pretrained features give 0.7
