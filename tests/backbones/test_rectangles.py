"""Backbones for images that are higher or wider: built, cut and refused."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from frostline.backbones.build import build_backbone, check_weights, input_spec, outline
from frostline.backbones.image_sides import left_out
from frostline.backbones.map_shape import is_map_of, token_grid
from frostline.backbones.pooling import num_features, set_pool
from frostline.backbones.split.cut import cut
from frostline.backbones.weights import find_weights
from frostline.errors import BackboneError, WeightsError

SWIN = "swin_tiny_patch4_window7_224"


def built(name, sides, weights="random"):
    return build_backbone(name, weights=weights, image_size=sides, seed=0).eval()


def test_height_comes_first():
    spec = input_spec("test_resnet", (64, 96))
    assert spec.shape == (3, 64, 96)
    assert (spec.sides, spec.size_label) == ((64, 96), "64x96")
    assert input_spec("test_resnet", 64).sides == 64
    assert outline("test_resnet", (64, 96)).stages[-2].out_shape[-2:] == (4, 6)
    assert outline("test_vit", (64, 96)).model.patch_embed.grid_size == (4, 6)
    assert outline(SWIN, (64, 128)).model.patch_embed.grid_size == (16, 32)


def test_rows_of_a_square_that_no_patch_sees_are_named():
    name = "vit_tiny_patch16_224"
    for side, rest in ((70, 6), (64, 0)):
        model, spec, *_ = outline(name, side)
        text = left_out(name, model, spec)
        assert (text is None) == (rest == 0)
        if text is not None:
            assert f"the last {rest} rows and {rest} columns are not seen" in text
            image = torch.zeros(1, 3, side, side)
            other = image.clone()
            other[..., -rest:] = other[..., -rest:, :] = 1
            with torch.no_grad():
                assert torch.equal(built(name, side).model(image), built(name, side).model(other))


@pytest.mark.parametrize("sides", [(64, 96), (96, 64)])
@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "test_maxvit", "book_cnn"],
)
def test_backbones_are_cut_exactly(name, sides):
    backbone = built(name, sides)
    parts = cut(backbone, backbone.depth(2), pool="avg")
    assert parts.exact, parts.reason
    images = torch.randn(2, 3, *sides)
    with torch.no_grad():
        assert torch.equal(parts.suffix(parts.prefix(images)), backbone(images))


def test_windows_are_cut_exactly():
    backbone = built(SWIN, (64, 96))
    parts = cut(backbone, backbone.depth(2), pool="avg")
    assert parts.exact, parts.reason
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(parts.suffix(parts.prefix(images)), backbone(images))


@pytest.mark.parametrize(
    ("name", "pool", "width"),
    [
        ("vgg11", "flatten", 512 * 2 * 3),
        ("book_cnn", "flatten", 64 * 8 * 12),
        (SWIN, "flatten", 768 * 2 * 3),
        (SWIN, "max", 768),
    ],
)
def test_the_whole_map_has_both_sides(name, pool, width):
    backbone = built(name, (64, 96))
    pooling = set_pool(backbone, pool)
    assert num_features(backbone, pooling) == width
    with torch.no_grad():
        assert pooling.run(backbone.model, torch.randn(2, 3, 64, 96)).shape == (2, width)


@pytest.mark.parametrize(
    ("name", "sides", "parts"),
    [
        ("vit_tiny_patch16_224", (64, 100), ["patches of 16 x 16", "nearest: image_size=[64,96]"]),
        ("vit_tiny_patch16_224", (90, 60), ["nearest: image_size=[96,64]"]),
        ("nest_tiny", (224, 256), ["nest_tiny is written for squares only", "image_size=224"]),
        # Their patches' number is a square number, so that its code would not notice.
        ("convit_tiny", (112, 448), ["convit_tiny is written for squares only"]),
        ("test_resnet", (8, 320), []),
    ],
)
def test_what_a_model_does_not_take_is_said_before_it_is_built(name, sides, parts):
    if not parts:
        assert outline(name, sides).input.shape == (3, *sides)
        return
    with pytest.raises(BackboneError) as caught:
        outline(name, sides)
    for part in (f"image_size=[{sides[0]},{sides[1]}]", *parts):
        assert part in str(caught.value)


def saved(name, folder, **options):
    torch.manual_seed(3)
    model = timm.create_model(name, pretrained=False, **options)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter)
    file = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, file)
    return model, str(file)


def test_position_embeddings_are_resampled_to_rows_and_columns(tmp_path):
    """What was above stays above: an embedding that grows downwards does so afterwards."""
    model, file = saved("vit_tiny_patch16_224", tmp_path)
    rows = torch.arange(14.0).repeat_interleave(14)
    state = model.state_dict()
    state["pos_embed"][0, 1:] = rows[:, None]
    save_file({key: value.contiguous() for key, value in state.items()}, file)
    # The second has as many patches as the square has.
    for sides in ((64, 96), (112, 448)):
        loaded = built("vit_tiny_patch16_224", sides, file).model.pos_embed[0, 1:, 0]
        grid = loaded.reshape(sides[0] // 16, sides[1] // 16)
        assert torch.allclose(grid, grid[:, :1].expand_as(grid), atol=1e-4)
        assert (grid[1:, 0] > grid[:-1, 0]).all()


def fit_of(name, sides, file):
    source = find_weights([name], file)[name]
    return check_weights(name, sides, source, key=None, partial=False)


def test_what_is_taken_for_granted_of_a_users_file_is_said(tmp_path):
    name = "vit_tiny_patch16_224"
    _, file = saved(name, tmp_path)
    assert fit_of(name, 224, file).notes == []
    assert fit_of(name, (64, 96), file).notes == []
    (note,) = fit_of(name, (112, 448), file).notes
    assert note == "pos_embed is resampled: right if the file is for image_size=224"
    _, file = saved(name, tmp_path, img_size=(64, 96))
    (note,) = fit_of(name, (64, 96), file).notes
    assert (
        note == "pos_embed is taken over as it is: right if the file is for image_size=[64,96] too"
    )


@pytest.mark.parametrize("name", ["mixer_s16_224", "cait_xxs24_224"])
def test_places_in_the_order_of_a_square_are_refused(name, tmp_path):
    _, file = saved(name, tmp_path)
    assert fit_of(name, None, file).match.is_whole
    with pytest.raises(WeightsError) as caught:
        fit_of(name, (112, 448), file)
    assert "as many places for 112 x 448 px as for 224 x 224 px" in str(caught.value)


def test_rows_and_columns_are_told_by_the_proportions():
    assert token_grid(24, (64, 96)) == (4, 6)
    assert token_grid(24, (96, 64)) == (6, 4)
    assert token_grid(16, (64, 64)) == (4, 4)
    assert token_grid(24, (64, 64)) == (0, 0)
    assert token_grid(-1, (64, 96)) == (0, 0)
    assert token_grid(49, (64, 96)) == (0, 0)
    assert is_map_of((4, 6), (64, 96)) and not is_map_of((6, 4), (64, 96))
    assert is_map_of((3, 4), (96, 128)) and is_map_of((4, 5), (100, 136))
    assert not is_map_of((6, 192), (96, 128)) and not is_map_of((8, 8), (96, 128))
