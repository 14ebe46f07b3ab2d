"""The switches of the built-in leaves that the studies need."""

import numpy as np
import pytest

from frostline.backbones.spec import InputSpec
from frostline.data.drawing.leaf_drawer import is_test_leaf, leaf_of
from frostline.data.sample_table import SampleTable
from frostline.data.sources.leaves import load_leaves
from frostline.data.splits import split_table
from frostline.data.transforms import BatchTransform
from frostline.errors import DataError


def leaves(**values: object) -> SampleTable:
    plain = {
        "n_images": 120, "size_px": 32, "n_species": 1, "photos_per_leaf": 3, "variant": "color",
        "background": "lab", "imbalance": 1.0, "shortcut": 0.0, "leak": 0.0, "draw_seed": 0,
    }  # fmt: skip
    return load_leaves(**{**plain, **values})  # type: ignore[arg-type]


def test_further_leaves_are_the_test_whatever_the_seed() -> None:
    table = leaves(test_images=60)
    splits = [split_table(table, val_frac=0.2, test_frac=0.2, seed=seed) for seed in (0, 1)]
    first, second = ({table.items[row] for row in s.test.tolist()} for s in splits)
    assert first == second and len(first) == 60
    assert all(is_test_leaf(leaf_of(item)) for item in first)
    assert not any(is_test_leaf(leaf_of(item)) for item in np.array(table.items)[splits[0].train])
    assert not np.array_equal(splits[0].val, splits[1].val)
    # What is trained on is what is drawn without them.
    assert table.items[:120] == leaves().items
    assert table.fingerprint != leaves().fingerprint


def test_only_further_leaves_stand_elsewhere_and_carry_no_shortcut() -> None:
    both = leaves(test_images=60, test_background="field", shortcut=1.0)
    lab, field = leaves(test_images=60, shortcut=1.0), leaves(test_images=60, background="field")
    draw = [np.asarray(table.open_image(both.items[5])) for table in (both, lab)]
    assert np.array_equal(*draw)
    further = [np.asarray(table.open_image(both.items[-1])) for table in (both, field, lab)]
    assert np.array_equal(further[0], further[1])
    assert not np.array_equal(further[0], further[2])


def test_photos_of_one_leaf_may_be_split() -> None:
    by_leaf, by_photo = leaves(), leaves(split_by="photo")
    assert len(set(by_leaf.groups)) == 40
    assert len(set(by_photo.groups)) == 120
    splits = split_table(by_photo, val_frac=0.2, test_frac=0.2, seed=0)
    sides = [{leaf_of(by_photo.items[row]) for row in rows} for rows in (splits.train, splits.test)]
    assert len(sides[0] & sides[1]) > 10
    assert by_photo.fingerprint != by_leaf.fingerprint


def test_classes_can_be_species_alone() -> None:
    assert leaves(n_species=3, n_conditions=1).classes == (
        "Apple___healthy", "Grape___healthy", "Potato___healthy",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"test_background": "field"}, "give the number of test photos"),
        ({"test_images": 3}, "the smallest of 5 classes gets none"),
    ],
)
def test_impossible_tests_are_errors(values: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        leaves(**values)


def test_crop_always_crops_in_evaluation_too() -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    spec = InputSpec(32, (0.5,) * 3, (0.5,) * 3, "bilinear", 1.0, "center", False)
    images = torch.randint(0, 256, (4, 3, 39, 39), generator=generator, dtype=torch.uint8)
    views = torch.zeros(4, dtype=torch.int64)
    always = BatchTransform(spec, augment="crop_always", seed=0)
    seen = [
        always.augmented(images, views, training=False, epoch=e, batch_idx=0) for e in (0, 0, 1)
    ]
    assert seen[0].shape == (4, 3, 32, 32)
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2])
    honest = BatchTransform(spec, augment="crop", seed=0)
    square = images[..., :32, :32]
    assert torch.equal(
        honest.augmented(square, views, training=False, epoch=0, batch_idx=0), square
    )
