"""A backbone by name: the timm model without its classifier, its stages, its weights."""

from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.vgg import ConvMlp
from torch import Tensor, nn

import frostline.backbones.book_cnn  # noqa: F401  (registers book_cnn with timm)
from frostline.backbones.depth import Depth, resolve_depth
from frostline.backbones.execution_order import Timeline, walk
from frostline.backbones.names import check_backbone_name
from frostline.backbones.spec import InputSpec, Stage, WeightsInfo
from frostline.backbones.split.cut_notes import noted
from frostline.backbones.stage_scale import divide
from frostline.backbones.weights_hub import timm_settings
from frostline.errors import BackboneError


class Backbone(nn.Module):
    """A timm model without its classifier, with what Frostline knows about it.

    ``model`` is the plain timm module: its parameters keep timm's own names, so a state dict of it
    loads into ``timm.create_model`` of the same name and back.

    Args:
        name: The timm name.
        model: The model.
        spec: What it eats.
        timeline: What its forward pass does.
        stages: Its stages, 1..S.
        weights: Where its weights came from.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        spec: InputSpec,
        timeline: Timeline,
        stages: tuple[Stage, ...],
        weights: WeightsInfo,
    ) -> None:
        super().__init__()
        self.name = name
        self.model = model
        self.input = spec
        self.timeline = timeline
        self.stages = stages
        self.weights = weights
        self.own_pool: Any = None

    @property
    def total_params(self) -> int:
        """Number of values in all parameters, the head not counted."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def depth(self, freeze: int | str) -> Depth:
        """Say what a value of ``freeze`` freezes here.

        Raises:
            BackboneError: The depth is out of range or not a module path.
        """
        return resolve_depth(self.name, self.model, self.timeline, self.stages, freeze)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images ``(N, 3, S, S)`` float to the model's own features ``(N, F)``."""
        return torch.as_tensor(self.model(x))


def input_spec(name: str, image_size: int | None) -> InputSpec:
    """Return how images are prepared for a backbone, as its weights say.

    Args:
        name: A known backbone.
        image_size: Side in pixels instead of the weights' own.
    """
    cfg = timm_settings(name)
    return InputSpec(
        size_px=image_size if image_size is not None else int(cfg.input_size[-1]),
        mean=tuple(cfg.mean),
        std=tuple(cfg.std),
        interpolation=cfg.interpolation,
        crop_pct=float(cfg.crop_pct),
        crop_mode=cfg.crop_mode,
        fixed_size=bool(cfg.fixed_input_size),
    )


def create_timm(name: str, spec: InputSpec) -> nn.Module:
    """Build the timm model of a name with random weights and without classifier.

    VGG's two layers of 4096 stand behind its features and are left out with the classifier.

    Raises:
        BackboneError: The model cannot be built for this size.
    """
    options: dict[str, Any] = {"img_size": spec.size_px} if spec.fixed_size else {}
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **options)
    except (AssertionError, ValueError, RuntimeError, TypeError, ZeroDivisionError) as error:
        raise _wrong_size(name, spec, error) from None
    if isinstance(getattr(model, "pre_logits", None), ConvMlp):
        model.pre_logits = nn.Identity()
    return model


def left_out(name: str, model: nn.Module) -> tuple[str, ...]:
    """Return the names of modules that a file of this architecture has and the backbone has not."""
    classifier = timm_settings(name).classifier or ()
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return (*names, "pre_logits") if isinstance(model, timm.models.VGG) else names


def walk_model(name: str, model: nn.Module, spec: InputSpec) -> Timeline:
    """Run the model once without numbers, or recall how that went.

    Raises:
        BackboneError: The model does not take images of this size.
    """
    try:
        return noted(f"timeline {name} {spec.size_px}", lambda: walk(model, spec.size_px))
    except (AssertionError, ValueError, RuntimeError, TypeError, ZeroDivisionError) as error:
        raise _wrong_size(name, spec, error) from None


def _wrong_size(name: str, spec: InputSpec, error: Exception) -> BackboneError:
    own = timm_settings(name).input_size[-1]
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if spec.size_px == own:
        return BackboneError(
            given=f"backbone={name} does not run on one image of {own} px: {reason}",
            todo="choose another backbone",
        )
    return BackboneError(
        given=f"image_size={spec.size_px}: backbone={name} does not take it ({reason})",
        allowed=f"{own} px (the weights' own: image_size=null), or a size the model divides evenly",
        todo="set image_size, or leave this backbone out",
    )


def build_backbone(name: str, *, weights: str, image_size: int | None, seed: int) -> Backbone:
    """Build a backbone, divide it into stages and give it its weights.

    Args:
        name: A timm model name, with or without a weights tag, or ``book_cnn``.
        weights: ``pretrained``, ``random`` or the path of a .safetensors, .pth or .ckpt file.
        image_size: Side of the input in pixels; None for the weights' own.
        seed: Of the random initialisation; the global random state is left alone.

    Raises:
        BackboneError: The name is unknown, the size impossible, the model not divisible.
        WeightsError: The weights are nowhere to be found or do not fit.
    """
    from frostline.backbones.weights import load_weights

    check_backbone_name(name)
    spec = input_spec(name, image_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = create_timm(name, spec)
    timeline = walk_model(name, model, spec)
    stages = divide(model, timeline, name)
    info = load_weights(name, model, weights, left_out=left_out(name, model))
    return Backbone(name, model, spec, timeline, stages, info)


def is_path(weights: str) -> bool:
    """Say whether ``weights`` names a file rather than a source."""
    return weights not in ("pretrained", "random") and bool(Path(weights).name)
