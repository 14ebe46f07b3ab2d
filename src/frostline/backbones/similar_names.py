"""Which backbones somebody may mean who types a name that timm does not have."""

import difflib
import re
from collections.abc import Sequence

from frostline.config.spelling import bare_of

# The usual members of the families, small ones first: what a family's bare name stands for, and
# what other libraries call them (torchvision, Keras).
_USUAL = {
    "resnet50": "resnet resnetv1 resnet50v1 resnet50v15",
    "resnet18": "resnet", "resnet34": "resnet", "resnet101": "resnet",
    "resnetv2_50": "resnetv2 resnet50v2",
    "vgg16": "vgg", "vgg19": "vgg",
    "vit_small_patch16_224": "vit visiontransformer vits vits16 vitsmall dinovits16",
    "vit_base_patch16_224": "vit visiontransformer vitb vitb16 vitbase googlevit dinovitb16",
    "vit_tiny_patch16_224": "vit visiontransformer vitt vitti16 vittiny",
    "vit_base_patch32_224": "vitb32", "vit_large_patch32_224": "vitl32",
    "vit_huge_patch14_224": "vith14",
    "vit_large_patch16_224": "vitl16 vitlarge",
    "vit_small_patch14_dinov2": "dinov2 dino dinov2s dinov2vits14",
    "vit_base_patch14_dinov2": "dinov2 dinov2b dinov2vitb14",
    "vit_large_patch14_dinov2": "dinov2vitl14",
    "vit_small_patch14_reg4_dinov2": "dinov2vits14reg",
    "vit_base_patch14_reg4_dinov2": "dinov2vitb14reg",
    "vit_base_patch16_clip_224": "clip openclip clipvit",
    "deit_small_patch16_224": "deit", "deit_tiny_patch16_224": "deit",
    "swin_tiny_patch4_window7_224": "swin swint swintiny swintransformer",
    "swin_small_patch4_window7_224": "swin swins swinsmall",
    "swin_base_patch4_window7_224": "swinb swinbase",
    "convnext_tiny": "convnext convnextt", "convnext_small": "convnext convnexts",
    "convnext_base": "convnextb",
    "tf_efficientnet_lite0": "efficientnet efficientnetlite efnetlite0",
    "efficientnet_b0": "efficientnet efnet efficientnetb0 effnetb0", "efficientnet_b3": "effnetb3",
    "tf_efficientnetv2_s": "efficientnetv2 efficientnetv2s",
    "mobilenetv3_large_100": "mobilenet mobilenetv3 mobilenetv3large",
    "mobilenetv3_small_100": "mobilenet mobilenetv3 mobilenetv3small",
    "mobilenetv2_100": "mobilenet mobilenetv2",
    "densenet121": "densenet", "densenet169": "densenet",
    "inception_v3": "inception inceptionv3 googlenet",
    "legacy_xception": "xception", "xception41": "xception",
    "regnety_016": "regnet regnety", "nasnetalarge": "nasnet nasnetlarge",
    "mixer_b16_224": "mixer mlpmixer", "maxvit_tiny_tf_224": "maxvit maxvitt",
    "beitv2_base_patch16_224": "beit beitv2",
    "ghostnet_100": "ghostnet", "mnasnet_100": "mnasnet mnasnet10",
    "repvgg_a2": "repvgg", "wide_resnet50_2": "wideresnet wideresnet50",
    "resnext50_32x4d": "resnext resnext50", "seresnet50": "senet seresnet",
    "book_cnn": "cnn baseline book scratch simplecnn",
}  # fmt: skip
# Billions of parameters, and words for it: no first guess for anybody.
_HUGE = re.compile(
    r"(^|_)(\d+b|giant|gigantic|huge|enormous|xxlarge|xlarge|large|so\d+m?)(_|$|opt)"
)


def similar_names(name: str, names: Sequence[str], count: int) -> list[str]:
    """The likeliest backbones first: other spellings, the usual ones of a family, similar names.

    Args:
        name: As typed, without the tag of its weights.
        names: All that there are.
        count: How many to return.
    """
    bare = bare_of(name)
    if not bare:
        return []
    if not bare.startswith("test"):  # timm's own, for its tests
        names = [other for other in names if not other.startswith("test_")]
    spelled = [other for other in names if bare_of(other) == bare]
    with_prefix = [other for other in names if bare_of(other) == f"tf{bare}"]
    usual = [other for other, called in _USUAL.items() if bare in called.split()]
    usual = [other for other in usual if other in names]
    begin = sorted((other for other in names if bare_of(other).startswith(bare)), key=_size_first)
    close = difflib.get_close_matches(name.lower(), names, n=3 * count, cutoff=0.6)
    close.sort(key=lambda other: bool(_HUGE.search(other)))
    order = [*spelled, *with_prefix, *usual]
    order += [*close, *begin] if len(bare) > 6 or not begin else [*begin, *close]
    return list(dict.fromkeys(order))[:count]


def _size_first(name: str) -> tuple[bool, bool, int, str]:
    return bool(_HUGE.search(name)), name not in _USUAL, len(name), name
