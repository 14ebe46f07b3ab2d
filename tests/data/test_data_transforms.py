from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.backbones.spec import InputSpec
from frostline.data.augmentations import AUGMENTS
from frostline.data.geometry import crop_source_geometry, evaluation_geometry, square
from frostline.data.mixing import BatchMix
from frostline.data.seeds import own_draws
from frostline.data.transforms import BatchTransform, apply_views
from frostline.errors import ConfigError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RANDOM = ("crop", "trivial", "randaugment", "color")


def spec(size=32, mode="center", crop=0.875, interpolation="bicubic"):
    return InputSpec(size, MEAN, STD, interpolation, crop, mode, False)


def images(n=6, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=generator)


def run(transform, inputs, views=None, *, training=True, epoch=0, batch_idx=0):
    views = torch.zeros(len(inputs), dtype=torch.int64) if views is None else views
    return transform.augmented(inputs, views, training=training, epoch=epoch, batch_idx=batch_idx)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [(80, 60), (41, 97), (20, 20), (300, 17)])
def test_geometry_equals_timm_to_the_pixel(mode, size):
    from timm.data.transforms_factory import transforms_imagenet_eval

    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    for pct in (0.875, 1.0):
        theirs = transforms_imagenet_eval(
            32, crop_pct=pct, crop_mode=mode, interpolation="bicubic", mean=MEAN, normalize=False
        )
        ours = square(image, evaluation_geometry(spec(mode=mode, crop=pct)))
        assert np.array_equal(theirs(image).permute(1, 2, 0).numpy(), ours)


def test_normalisation_equals_torchvision():
    from torchvision.transforms.v2 import functional

    inputs = images()
    transform = BatchTransform(spec(), augment="none", seed=0)
    out = transform(inputs, torch.zeros(6, dtype=torch.int64), training=False, epoch=0, batch_idx=0)
    wanted = functional.normalize(inputs.float() / 255, list(MEAN), list(STD))
    torch.testing.assert_close(out, wanted, rtol=0, atol=1e-5)
    assert out.dtype == torch.float32


def test_views_are_the_eight_symmetries():
    one = images(1)
    seen = {apply_views(one, torch.tensor([view]), 8).numpy().tobytes() for view in range(8)}
    assert len(seen) == 8
    for view in range(8):
        turns, mirrored = divmod(view, 2)
        wanted = torch.rot90(one.flip(-1) if mirrored else one, turns, (-2, -1))
        assert torch.equal(apply_views(one, torch.tensor([view]), 8), wanted)


@pytest.mark.parametrize("n_views", [1, 2, 8])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_views_keep_the_memory_format(n_views, layout):
    """Convolutions round differently in the two, so that results would change."""
    inputs = images(8).contiguous(memory_format=layout)
    views = torch.arange(8) % n_views
    assert apply_views(inputs, views, n_views).is_contiguous(memory_format=layout)


@pytest.mark.parametrize("augment", [*RANDOM, "crop_always"])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_random_recipes_keep_the_memory_format(augment, layout):
    """A batch that lost it would be trained on with its channels first: up to twice as slow."""
    transform = BatchTransform(spec(), augment=augment, seed=0)
    inputs = images(4, side=39 if "crop" in augment else 32)
    in_layout = inputs.contiguous(memory_format=layout)
    views = torch.zeros(4, dtype=torch.int64)
    made = transform(in_layout, views, training=True, epoch=0, batch_idx=0)
    assert made.is_contiguous(memory_format=layout)
    wanted = transform(inputs, views, training=True, epoch=0, batch_idx=0)
    assert torch.equal(made, wanted)


@pytest.mark.parametrize("mix", ["none", "mixup", "cutmix"])
def test_mixing_keeps_the_memory_format(mix):
    mixed, _ = BatchMix(mix, alpha=1.0, n_classes=3, seed=0)(
        images(4).float().contiguous(memory_format=torch.channels_last),
        torch.tensor([0, 1, 2, 0]),
        epoch=0,
        batch_idx=0,
    )
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_views_of_a_batch_are_those_of_each_image():
    inputs, views = images(8), torch.tensor([3, 0, 7, 1, 1, 6, 0, 5])
    together = apply_views(inputs, views, 8)
    for k in range(8):
        assert torch.equal(together[k], apply_views(inputs[k : k + 1], views[k : k + 1], 8)[0])
    flips = torch.tensor([1, 0, 0, 1, 1, 0, 1, 0])
    for n_views in (2, 8):
        assert torch.equal(apply_views(inputs, flips, n_views)[0], inputs[0].flip(-1))
        assert torch.equal(apply_views(inputs, flips, n_views)[1], inputs[1])


def test_a_finite_view_is_made_whether_training_or_not():
    """Features of all views are computed as in evaluation."""
    transform = BatchTransform(spec(), augment="flip", seed=0)
    inputs, views = images(2), torch.tensor([1, 0])
    for training in (True, False):
        made = run(transform, inputs, views, training=training)
        assert torch.equal(made[0], inputs[0].flip(-1)) and torch.equal(made[1], inputs[1])


@pytest.mark.parametrize("augment", RANDOM)
def test_random_recipes_depend_on_seed_epoch_and_batch(augment):
    inputs = images(4, side=39 if augment == "crop" else 32)
    transform = BatchTransform(spec(), augment=augment, seed=0)
    first = run(transform, inputs)
    torch.rand(7)  # what else draws numbers does not matter
    assert torch.equal(first, run(transform, inputs))
    assert first.shape == (4, 3, 32, 32) and first.dtype == torch.uint8
    assert not torch.equal(first, run(transform, inputs, epoch=1))
    assert not torch.equal(first, run(transform, inputs, batch_idx=1))
    other = BatchTransform(spec(), augment=augment, seed=1)
    assert not torch.equal(first, run(other, inputs))


@pytest.mark.parametrize("augment", RANDOM)
def test_random_recipes_do_not_change_the_global_generator(augment):
    inputs = images(2, side=39 if augment == "crop" else 32)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    run(BatchTransform(spec(), augment=augment, seed=0), inputs)
    assert torch.equal(torch.rand(3), wanted)


def test_draws_of_a_block_leave_the_generators_of_cards_alone(monkeypatch):
    """The generators of cards, from which dropout draws there, are faked."""
    seeded, restored = [], []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: seeded.append("all"))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: seeded.append(seed))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: f"state of {device}")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *state: restored.append(state))
    torch.manual_seed(5)
    wanted = torch.rand(3)
    seeded.clear()
    torch.manual_seed(1)
    with own_draws(5, torch.zeros(1)):
        assert torch.equal(torch.rand(3), wanted)
    assert (seeded, restored) == (["all"], [])  # by the line before the block
    card = SimpleNamespace(device=torch.device("cuda", 1))
    with own_draws(5, card):
        assert torch.equal(torch.rand(3), wanted)
    assert seeded == ["all", 5]
    assert restored == [("state of cuda:1", torch.device("cuda", 1))]


@pytest.mark.parametrize("augment", RANDOM)
def test_each_image_has_its_own_random_draw(augment):
    inputs = images(1, side=39 if augment == "crop" else 32).repeat(16, 1, 1, 1)
    out = run(BatchTransform(spec(), augment=augment, seed=0), inputs)
    assert len({image.numpy().tobytes() for image in out}) > 4


@pytest.mark.parametrize("augment", [name for name in AUGMENTS if name != "crop_always"])
def test_evaluation_is_the_image_itself(augment):
    inputs = images()
    transform = BatchTransform(spec(), augment=augment, seed=0)
    assert torch.equal(run(transform, inputs, training=False), inputs)


def test_crops_come_from_a_larger_square():
    assert crop_source_geometry(spec(52), 52 / 64).size_px == 64
    wide = images(1, side=39)
    crop = run(BatchTransform(spec(), augment="crop", seed=0), wide)[0]
    windows = wide[0].unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4)
    matches = [torch.equal(crop, w) or torch.equal(crop, w.flip(-1)) for w in windows.flatten(0, 1)]
    assert sum(matches) == 1


def test_unknown_recipe_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"augment=blur[\s\S]*none, flip, dihedral, crop"):
        BatchTransform(spec(), augment="blur", seed=0)
