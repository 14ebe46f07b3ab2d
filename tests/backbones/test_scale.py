import pytest
import timm
import torch

from frostline.backbones.build import build_backbone, check_freeze, outline
from frostline.errors import BackboneError

FAMILIES = [
    ("resnet18", 5), ("resnet50", 5), ("vgg16", 5), ("vgg16_bn", 5), ("densenet121", 5),
    ("efficientnet_b0", 5), ("mobilenetv3_small_050", 5), ("regnety_002", 5),
    ("convnext_atto", 5), ("swin_tiny_patch4_window7_224", 5), ("legacy_xception", 5),
    ("inception_v3", 5), ("vit_tiny_patch16_224", 5), ("deit_tiny_patch16_224", 5),
    ("levit_128", 3), ("dla34", 6), ("mixer_s32_224", 5), ("book_cnn", 3),
]  # fmt: skip


@pytest.mark.parametrize(("name", "count"), FAMILIES)
def test_every_tensor_is_in_exactly_one_stage(name: str, count: int) -> None:
    model, _, timeline, stages = outline(name, None)
    assert [stage.number for stage in stages] == list(range(1, count + 1))
    state = {key for key, _ in model.named_parameters()} | {key for key, _ in model.named_buffers()}
    listed = [tensor for stage in stages for tensor in stage.tensors]
    assert len(listed) == len(set(listed))
    assert set(listed) == state
    assert sum(stage.params for stage in stages) == sum(p.numel() for p in model.parameters())
    assert sum(stage.flops for stage in stages) == timeline.total_flops
    assert all(stage.params > 0 for stage in stages)
    assert all(stage.end is not None for stage in stages[:-1])
    assert stages[-1].end is None


def test_resnet50_depth_2_is_the_books_rule() -> None:
    _, _, _, stages = outline("resnet50", None)
    assert sum(stage.params for stage in stages[:2]) == 225_344
    assert [stage.modules for stage in stages[:2]] == [("conv1", "bn1"), ("layer1",)]


def test_vgg16_has_no_wide_layers_and_block5_apart() -> None:
    _, _, _, stages = outline("vgg16", None)
    assert sum(stage.params for stage in stages) == 14_714_688
    assert stages[4].params == 7_079_424


def test_book_cnn_with_its_head_has_the_books_parameters() -> None:
    backbone = build_backbone("book_cnn", weights="random", image_size=None, seed=0)
    head = torch.nn.Linear(512, 33)
    assert backbone.total_params + sum(p.numel() for p in head.parameters()) == 2_170_913
    assert backbone.input.size_px == 64
    whole = timm.create_model("book_cnn", num_classes=33)
    assert sum(p.numel() for p in whole.parameters()) == 2_170_913
    assert whole(torch.zeros(2, 3, 64, 64)).shape == (2, 33)


def test_book_cnn_follows_the_image_size() -> None:
    backbone = build_backbone("book_cnn", weights="random", image_size=96, seed=0)
    assert backbone(torch.zeros(2, 3, 96, 96)).shape == (2, 512)
    assert backbone.total_params == 56_320 + 64 * 12 * 12 * 512 + 512


def test_isotropic_transformer_has_its_embedding_first_and_four_equal_parts() -> None:
    _, _, _, stages = outline("vit_tiny_patch16_224", None)
    assert set(stages[0].modules) == {"cls_token", "pos_embed", "patch_embed"}
    assert stages[1].modules == ("blocks.0", "blocks.1", "blocks.2")
    assert stages[4].modules == ("blocks.9", "blocks.10", "blocks.11", "norm")
    assert len({stage.params for stage in stages[1:4]}) == 1


def test_stem_is_apart_where_timm_lists_four() -> None:
    _, _, _, stages = outline("convnext_atto", None)
    assert stages[0].modules == ("stem",)
    assert [stage.modules[0] for stage in stages[1:]] == [f"stages.{i}" for i in range(4)]


def stages_at(name: str, freeze: int | str, image_size: int | None) -> tuple[int, int]:
    depth = check_freeze(name, freeze, image_size)
    return depth.frozen_stages, depth.num_stages


def test_check_counts_whole_stages() -> None:
    assert stages_at("resnet50", 2, None) == (2, 5)
    assert stages_at("resnet50", "2", None) == (2, 5)
    assert stages_at("resnet50", "all", None) == (5, 5)
    assert stages_at("resnet50", "layer3.2", None) == (3, 5)
    assert stages_at("resnet50", "layer3", None) == (4, 5)
    assert stages_at("levit_128", 3, None) == (3, 3)


def test_depth_out_of_range_is_answered_with_the_table() -> None:
    with pytest.raises(BackboneError) as caught:
        check_freeze("resnet50", 9, None)
    text = str(caught.value)
    assert "freeze=9: resnet50 has 5 stages" in text
    assert "215,808" in text
    assert "layer4" in text
    assert "0 to 5, all, or a module path such as layer" in text


@pytest.mark.parametrize("freeze", ["two", "layer9", "2.5", ""])
def test_a_word_that_is_no_module_is_answered_with_examples(freeze: str) -> None:
    with pytest.raises(BackboneError, match="nor a module of resnet50"):
        check_freeze("resnet50", freeze, None)


@pytest.mark.parametrize(("freeze", "frozen"), [(-1, 4), (-3, 2), (-5, 0), ("-1", 4)])
def test_negative_depth_counts_from_the_end(freeze: int | str, frozen: int) -> None:
    assert stages_at("resnet50", freeze, None) == (frozen, 5)


def test_negative_depth_beyond_the_first_stage_is_refused() -> None:
    with pytest.raises(BackboneError, match="freeze=-6: resnet50 has 5 stages") as caught:
        check_freeze("resnet50", -6, None)
    assert "-1 to -5 count from the end" in str(caught.value)


def test_a_model_without_features_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from frostline.backbones.stage_scale import divide_into_stages

    model, _, timeline, _ = outline("resnet18", None)
    monkeypatch.setattr(model, "feature_info", [])
    with pytest.raises(BackboneError, match="resnet18 cannot be divided into stages"):
        divide_into_stages(model, timeline, "resnet18")


def test_an_impossible_size_names_the_right_one() -> None:
    with pytest.raises(BackboneError, match="image_size=1: backbone=inception_v3") as caught:
        outline("inception_v3", 1)
    assert "299 px" in str(caught.value)
