"""Build a backbone by name with its stages and weights, or only its stages without any weights."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import timm
import torch
from timm.models.vgg import ConvMlp
from torch import nn

import frostline.backbones.book_cnn  # noqa: F401  (registers book_cnn with timm)
from frostline.backbones.backbone import Backbone
from frostline.backbones.depth import Depth
from frostline.backbones.execution_order import Timeline, record_timeline
from frostline.backbones.image_sides import check_patches, check_sides, reason_of, wrong_size
from frostline.backbones.names import check_backbone_name
from frostline.backbones.own_registration import where_defined
from frostline.backbones.positions import Places, Shapes
from frostline.backbones.resolve_depth import resolve_depth
from frostline.backbones.shared_cache import cached
from frostline.backbones.spec import InputSpec, Stage
from frostline.backbones.stage_scale import divide_into_stages
from frostline.backbones.weights import WeightsSource, fit_source, load_weights
from frostline.backbones.weights_fit import Fit
from frostline.backbones.weights_hub import timm_settings
from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.image_size import Sides, sides_of
from frostline.errors import BackboneError

# What timm's models raise on a size that they do not take.
SIZE_ERRORS = (AssertionError, ValueError, RuntimeError, TypeError, ZeroDivisionError)


def build_backbone(
    name: str,
    *,
    weights: str,
    image_size: Sides | None,
    seed: int,
    in_chans: int = RGB_CHANNELS,
    weights_key: str | None = None,
    weights_partial: bool = False,
) -> Backbone:
    """Build a backbone, divide it into stages and load its weights.

    Args:
        name: A timm model name, with or without a weights tag, or `book_cnn`.
        weights: `pretrained`, `random` or the path of a .safetensors, .pth or .ckpt file.
        image_size: Side of the input in pixels, or height and width; None for the weights' own.
        seed: Of the random initialisation; the global random state stays as it is.
        in_chans: Channels of the images.
        weights_key: Part of the file that is meant, where several fit.
        weights_partial: Whether the file may fit only a part; the rest stays random.

    Raises:
        BackboneError: The name is unknown, the size impossible, or the model cannot be divided.
        WeightsError: The weights are not found or do not fit.
    """
    check_backbone_name(name)
    spec = input_spec(name, image_size, in_chans)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # `torch.manual_seed` seeds the cards as well
        model = create_timm(name, spec)
    timeline = timeline_of(name, model, spec)
    stages = divide_into_stages(model, timeline, name)
    info = load_weights(
        name,
        model,
        weights,
        left_out=_left_out(name, model, weights),
        key=weights_key,
        partial=weights_partial,
        places=_places(name, spec),
    )
    return Backbone(name, model, spec, timeline, stages, info)


def input_spec(name: str, image_size: Sides | None, in_chans: int = RGB_CHANNELS) -> InputSpec:
    """Return how images are prepared for a backbone, according to its weights.

    Args:
        name: A known backbone.
        image_size: Side in pixels, or height and width, instead of the weights' own.
        in_chans: Channels of the images; others than red, green and blue are normalised as the
            channels whose weights they get: see `channel_values`.
    """
    cfg = timm_settings(name)
    own = int(cfg.input_size[-2]), int(cfg.input_size[-1])
    height, width = own if image_size is None else sides_of(image_size)
    return InputSpec(
        size_px=height,
        width_px=None if width == height else width,
        mean=channel_values(cfg.mean, in_chans),
        std=channel_values(cfg.std, in_chans),
        interpolation=cfg.interpolation,
        crop_pct=float(cfg.crop_pct),
        crop_mode=cfg.crop_mode,
        fixed_size=bool(cfg.fixed_input_size),
    )


def channel_values(values: Sequence[float], in_chans: int) -> tuple[float, ...]:
    """Means or deviations for another number of channels, each that of the channel it stands for.

    timm makes the weights of the first layer for one channel the sum over the colours, which takes
    a grey image as one of three equal colours: so the average. For others it repeats the colours.

    Args:
        values: Of the channels that the weights were trained on.
        in_chans: Channels of the images.

    Source: `timm.models.adapt_input_conv`.
    """
    if in_chans == len(values):
        return tuple(values)
    if in_chans == 1:
        return (sum(values) / len(values),)
    return tuple(values[channel % len(values)] for channel in range(in_chans))


def create_timm(name: str, spec: InputSpec) -> nn.Module:
    """Build the timm model of a name with random weights and without classifier.

    VGG's two layers of 4096 come after its features and are left out with the classifier.

    Raises:
        BackboneError: The model cannot be built for this size or these channels.
    """
    check_sides(name, spec)
    options: dict[str, Any] = {"img_size": spec.sides} if spec.fixed_size else {}
    if spec.in_chans != RGB_CHANNELS:
        options["in_chans"] = spec.in_chans
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    except SIZE_ERRORS as error:
        if spec.in_chans != RGB_CHANNELS and _takes_rgb(name, options):
            raise _wrong_channels(name, spec, error) from None
        raise wrong_size(name, spec, error) from None
    check_patches(name, model, spec)
    if isinstance(getattr(model, "pre_logits", None), ConvMlp):
        model.pre_logits = nn.Identity()
    return model


def _left_out(name: str, model: nn.Module, weights: str) -> tuple[str, ...]:
    """Return what a weights file of this architecture has and the backbone lacks.

    Modules (a classifier may have other layers in the file); for a user's file, of which nothing
    may be left over, also each tensor by which timm's model with classifier differs.
    """
    classifier = timm_settings(name).classifier or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    if isinstance(model, timm.models.VGG):
        names += ("pre_logits",)
    return names if weights in {"pretrained", "random"} else (*names, *_head_tensors(name))


@lru_cache(maxsize=32)
def _head_tensors(name: str) -> tuple[str, ...]:
    with torch.device("meta"):
        whole = timm.create_model(name, pretrained=False).state_dict()
        return tuple(whole.keys() - timm.create_model(name, num_classes=0).state_dict().keys())


def check_weights(
    name: str,
    image_size: Sides | None,
    source: WeightsSource,
    *,
    key: str | None,
    partial: bool,
    in_chans: int = RGB_CHANNELS,
) -> Fit:
    """Check that a weights file fits a backbone, without building it.

    Args:
        name: A backbone's name.
        image_size: Side of the input in pixels, or height and width; None for the weights' own.
        source: The file.
        key: Part of the file that is meant, where several fit.
        partial: Whether the file may fit only a part.
        in_chans: Channels of the images.

    Raises:
        WeightsError: The file cannot be read, or its tensors do not fit.
    """
    model, spec, *_ = outline(name, image_size, in_chans)
    return fit_source(
        name,
        model,
        source,
        left_out=_left_out(name, model, source.where),
        key=key,
        partial=partial,
        places=_places(name, spec),
    )


def _places(name: str, spec: InputSpec) -> Places | None:
    """What `fit_source` needs to know of a model for rectangles of one size; None for others."""
    if spec.width_px is None or not spec.fixed_size:
        return None
    own = input_spec(name, None, spec.in_chans)

    def shapes_at(sides: Sides) -> Shapes:
        height, width = sides_of(sides)
        other = replace(spec, size_px=height, width_px=None if width == height else width)
        with torch.device("meta"):
            state = create_timm(name, other).state_dict()
        return {key: tensor.shape for key, tensor in state.items()}

    return Places(spec.sides, own.sides, shapes_at)


def timeline_of(name: str, model: nn.Module, spec: InputSpec) -> Timeline:
    """Record the order of a model's forward pass on the meta device, or read it from the cache.

    Raises:
        BackboneError: The model does not take images of this size.
    """
    try:
        return cached(f"timeline {name} {spec.shape}", lambda: record_timeline(model, spec.shape))
    except SIZE_ERRORS as error:
        raise wrong_size(name, spec, error) from None


def _takes_rgb(name: str, options: dict[str, Any]) -> bool:
    """Whether the model can be built if it is for three channels."""
    others = {key: value for key, value in options.items() if key != "in_chans"}
    try:
        with torch.device("meta"):
            timm.create_model(name, pretrained=False, num_classes=0, **others)
    except SIZE_ERRORS:
        return False
    return True


def _wrong_channels(name: str, spec: InputSpec, error: Exception) -> BackboneError:
    return BackboneError(
        given=f"in_chans={spec.in_chans}: backbone={name}{where_defined(name)} cannot be built for "
        f"it ({reason_of(error)})",
        allowed=f"in_chans={RGB_CHANNELS}, or a backbone that takes timm's in_chans",
        todo="leave this backbone out, or in_chans=3: grey images are then read as colour",
    )


class Outline(NamedTuple):
    """A model on the meta device, and its stages."""

    model: nn.Module
    input: InputSpec
    timeline: Timeline
    stages: tuple[Stage, ...]


@lru_cache(maxsize=16)
def outline(name: str, image_size: Sides | None, in_chans: int = RGB_CHANNELS) -> Outline:
    """Divide a backbone into stages without its weights, on the meta device.

    Args:
        name: A backbone's name.
        image_size: Side of the input in pixels, or height and width; None for the weights' own.
        in_chans: Channels of the images.

    Raises:
        BackboneError: The name is unknown, the size impossible, or the model cannot be divided.
    """
    check_backbone_name(name)
    spec = input_spec(name, image_size, in_chans)
    with torch.device("meta"):
        model = create_timm(name, spec)
    timeline = timeline_of(name, model, spec)
    return Outline(model, spec, timeline, divide_into_stages(model, timeline, name))


def check_freeze(
    name: str, freeze: int | str, image_size: Sides | None, in_chans: int = RGB_CHANNELS
) -> Depth:
    """Resolve a value of `freeze` for a backbone without loading any weights.

    Args:
        name: A backbone's name.
        freeze: A number, `all` or a module path.
        image_size: Side of the input in pixels, or height and width; None for the weights' own.
        in_chans: Channels of the images.

    Raises:
        BackboneError: The backbone has no such depth; the message contains the table of stages.
    """
    model, _, timeline, stages = outline(name, image_size, in_chans)
    return resolve_depth(name, model, timeline, stages, freeze)
