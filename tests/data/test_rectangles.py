"""Images that are higher or wider: every rule of squares, with height and width in their places."""

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.backbones.spec import InputSpec
from frostline.data.augmentations import CROP_FRAC
from frostline.data.geometry import (
    Geometry,
    crop_source_geometry,
    evaluation_geometry,
    is_long_strip,
    square,
    target_size,
)
from frostline.data.mixing import BatchMix
from frostline.data.transforms import BatchTransform, apply_views
from frostline.errors import ConfigError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = ((80, 60), (41, 97), (20, 20), (300, 17), (9, 200), (48, 64), (64, 48), (55, 73))


def spec(height=48, width=64, mode="center", crop=0.875):
    return InputSpec(height, MEAN, STD, "bicubic", crop, mode, False, width_px=width)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("sides", [(48, 64), (64, 48), (32, 96), (63, 64)])
def test_geometry_equals_timm_to_the_pixel(mode, sides):
    from timm.data.transforms_factory import transforms_imagenet_eval

    rng = np.random.default_rng(0)
    for pct in (0.875, 0.95, 1.0):
        theirs = transforms_imagenet_eval(
            sides, crop_pct=pct, crop_mode=mode, interpolation="bicubic", mean=MEAN,
            normalize=False,
        )  # fmt: skip
        geometry = evaluation_geometry(spec(*sides, mode=mode, crop=pct))
        for height, width in SIZES:
            image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
            ours = square(image, geometry)
            assert ours.shape == (*sides, 3)
            assert np.array_equal(theirs(image).permute(1, 2, 0).numpy(), ours), (height, width)


def mark_of(pixels):
    """Row and column of the brightest pixel, as shares of height and width."""
    row, column = np.unravel_index(pixels.sum(axis=2).argmax(), pixels.shape[:2])
    return (row + 0.5) / pixels.shape[0], (column + 0.5) / pixels.shape[1]


@pytest.mark.parametrize("sides", [(96, 128), (128, 96)])
def test_a_mark_lands_where_it_stands_in_an_image_of_the_same_proportions(sides):
    pixels = np.zeros((3 * sides[0], 3 * sides[1], 3), dtype=np.uint8)
    pixels[30:33, 60:63] = 255  # in the upper left
    geometry = evaluation_geometry(spec(*sides, crop=1.0))
    assert target_size((3 * sides[1], 3 * sides[0]), geometry) == (sides[1], sides[0])
    landed = mark_of(square(Image.fromarray(pixels), geometry))
    assert landed == pytest.approx((31.5 / pixels.shape[0], 61.5 / pixels.shape[1]), abs=0.006)


def test_of_an_image_of_other_proportions_the_middle_is_kept():
    """100 x 100 px for 48 x 64: made 64 x 64, of which 8 rows above and below are left out."""
    pixels = np.zeros((100, 100, 3), dtype=np.uint8)
    pixels[50:, :, 0] = 200
    pixels[:, 50:, 1] = 200
    pixels[:10] = 255  # the rows that are cut off
    out = square(Image.fromarray(pixels), evaluation_geometry(spec(48, 64, crop=1.0)))
    assert out.shape == (48, 64, 3)
    assert out.max() < 230
    assert (out[:22, :, 0] < 20).all() and (out[26:, :, 0] > 180).all()
    assert (out[:, :30, 1] < 20).all() and (out[:, 34:, 1] > 180).all()


def test_what_does_not_fit_is_padded_on_the_right_sides():
    pixels = np.full((50, 50, 3), 255, dtype=np.uint8)
    out = square(Image.fromarray(pixels), evaluation_geometry(spec(48, 64, "border", 1.0)))
    fill = [round(255 * value) for value in MEAN]
    assert (out[:, :8] == fill).all() and (out[:, 56:] == fill).all()
    assert (out[:, 8:56] == 255).all()


@pytest.mark.parametrize("stands", [True, False])
def test_of_a_long_strip_the_middle_is_made(stands):
    geometry = evaluation_geometry(spec(48, 64))
    noise = np.random.default_rng(0).integers(0, 256, (30_000, 1, 3), dtype=np.uint8)
    strip, middle = noise, noise[14_900:15_100]
    if not stands:
        strip, middle = strip.transpose(1, 0, 2), middle.transpose(1, 0, 2)
    size = strip.shape[1], strip.shape[0]
    assert is_long_strip(target_size(size, geometry), geometry)
    out = square(Image.fromarray(strip), geometry)
    assert out.shape == (48, 64, 3)
    short = square(Image.fromarray(middle), geometry)
    assert not is_long_strip(target_size(middle.shape[1::-1], geometry), geometry)
    assert np.abs(out.astype(int) - short).max() <= 2
    # Rows differ in a standing strip, columns in a lying one.
    assert np.ptp(out, axis=0 if stands else 1).max() > 20
    assert np.ptp(out, axis=1 if stands else 0).max() == 0


def test_keys_tell_lying_from_standing_and_squares_keep_theirs():
    lying, standing = (evaluation_geometry(spec(*sides)) for sides in ((48, 64), (64, 48)))
    squares = Geometry(48, "bicubic", 0.875, "center", (0, 0, 0))
    assert len({lying.key, standing.key, squares.key}) == 3
    assert squares.key == (
        "[('border', (0, 0, 0)), ('crop_mode', 'center'), ('crop_pct', 0.875), "
        "('interpolation', 'bicubic'), ('size_px', 48)]"
    )


@pytest.mark.parametrize("sides", [(48, 64), (64, 48)])
def test_random_crops_are_windows_of_a_larger_rectangle(sides):
    source = crop_source_geometry(spec(*sides), CROP_FRAC)
    assert source.shape == tuple(round(side / CROP_FRAC) for side in sides)
    generator = torch.Generator().manual_seed(0)
    wide = torch.randint(0, 256, (4, 3, *source.shape), dtype=torch.uint8, generator=generator)
    transform = BatchTransform(spec(*sides), augment="crop", seed=0)
    views = torch.zeros(4, dtype=torch.int64)
    crops = transform.augmented(wide, views, training=True, epoch=0, batch_idx=0)
    assert crops.shape == (4, 3, *sides)
    for image, crop in zip(wide, crops, strict=True):
        windows = image.unfold(1, sides[0], 1).unfold(2, sides[1], 1).permute(1, 2, 0, 3, 4)
        windows = windows.flatten(0, 1)
        same = (windows == crop).flatten(1).all(1) | (windows == crop.flip(-1)).flatten(1).all(1)
        assert same.sum() == 1


@pytest.mark.parametrize("augment", ["none", "flip", "trivial", "randaugment", "color"])
def test_other_augmentations_keep_the_rectangle(augment):
    images = torch.randint(0, 256, (6, 3, 48, 64), dtype=torch.uint8)
    transform = BatchTransform(spec(), augment=augment, seed=0)
    views = torch.tensor([0, 1, 0, 1, 1, 0]) % transform.n_views
    out = transform(images, views, training=True, epoch=0, batch_idx=0)
    assert out.shape == (6, 3, 48, 64)
    if augment == "flip":
        mirrored = apply_views(images, views, 2)
        assert torch.equal(mirrored[1], images[1].flip(-1))


def test_quarter_turns_are_refused_on_rectangles_alone():
    with pytest.raises(ConfigError, match=r"image_size=\[48,64\]\) would become 64 x 48") as caught:
        BatchTransform(spec(), augment="dihedral", seed=0)
    assert "none, flip, crop" in str(caught.value)
    assert BatchTransform(spec(48, None), augment="dihedral", seed=0).n_views == 8


def test_cutmix_takes_shares_by_the_area_of_a_rectangle():
    mix = BatchMix("cutmix", alpha=1.0, n_classes=2, seed=0)
    images = torch.cat([torch.zeros(1, 3, 48, 64), torch.ones(1, 3, 48, 64)])
    for epoch in range(4):
        mixed, shares = mix(images, torch.tensor([0, 1]), epoch=epoch, batch_idx=0)
        assert mixed.shape == images.shape
        assert float(mixed[0, 0].mean()) == pytest.approx(float(shares[0, 1]), abs=1e-6)
