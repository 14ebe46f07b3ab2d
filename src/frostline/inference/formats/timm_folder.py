"""Export as a plain timm checkpoint: safetensors and config.json, with timm's own names."""

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save
from torch import Tensor, nn

from frostline.backbones.build import SIZE_ERRORS
from frostline.backbones.image_sides import reason_of
from frostline.backbones.weights_hub import timm_settings
from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.recipe import LinearHead
from frostline.inference.formats.deployable import (
    ExportError,
    Sample,
    largest_difference,
)
from frostline.inference.rebuild import Rebuilt

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def export_timm(rebuilt: Rebuilt, sample: Sample, folder: Path, facts: dict[str, Any]) -> float:
    """Write a folder that timm loads by itself, and compare timm's model with the run.

    `timm.create_model(NAME, num_classes=K, checkpoint_path=FOLDER/model.safetensors)` with the
    `model_args` of config.json, or `timm.create_model("local-dir:FOLDER", pretrained=True)`.

    Args:
        rebuilt: The run.
        sample: Real images.
        folder: Where to.
        facts: The metadata.

    Returns:
        The largest difference of a logit from the model that plain timm loads.

    Raises:
        ExportError: If timm's model cannot hold the run's head.
    """
    linear = _linear(rebuilt)
    arguments = _arguments(rebuilt)
    tensors = _tensors(rebuilt, linear, arguments)
    folder.mkdir(parents=True, exist_ok=True)
    # Not by `save_file`, which makes a file that only its owner can read.
    (folder / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
    config = _config(rebuilt, arguments, facts)
    (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    model = timm.create_model(
        rebuilt.backbone.name,
        pretrained=False,
        num_classes=len(rebuilt.classes),
        checkpoint_path=str(folder / WEIGHTS),
        **arguments,
    ).eval()
    normalised = rebuilt.preprocess.to("cpu").normalise(torch.from_numpy(sample.squares))
    with torch.inference_mode():
        logits = model(normalised)
    return largest_difference(sample, logits.numpy(), "the model that timm loads")


def _linear(rebuilt: Rebuilt) -> nn.Linear:
    """Return the head's only layer.

    Raises:
        ExportError: If the head has more layers, or timm would pool the features differently.
    """
    head = rebuilt.settings.head
    todo = "use --format onnx, torch_export or mlflow, which take any head"
    if rebuilt.backbone.name == "book_cnn":
        raise ExportError("book_cnn is Frostline's own: plain timm has no such model", todo=todo)
    if rebuilt.settings.plugins.backbone is not None:
        raise ExportError(
            f"{rebuilt.backbone.name} is your own: plain timm has no such model", todo=todo
        )
    if not isinstance(head, LinearHead):
        raise ExportError(
            f"timm's classifier is one linear layer; this run's head is {_article(head.name)}",
            "head=linear",
            todo,
        )
    if head.pool == "flatten":
        raise ExportError(
            "timm's models pool before their classifier; this run's head.pool is flatten",
            "head.pool=avg, head.pool=max",
            todo,
        )
    if "aux_head" in _classifiers(rebuilt.backbone.name):
        raise ExportError(
            f"timm's {rebuilt.backbone.name} adds the answers of a second classifier, the largest "
            "over all patches; this run has one, on features that hold both",
            todo=todo,
        )
    last = rebuilt.head[-1]
    assert isinstance(last, nn.Linear)
    return last


def _article(head: str) -> str:
    return "an mlp" if head == "mlp" else head


def _arguments(rebuilt: Rebuilt) -> dict[str, Any]:
    """Arguments with which timm builds the same model."""
    arguments: dict[str, Any] = {}
    if rebuilt.geometry.in_chans != RGB_CHANNELS:
        arguments["in_chans"] = rebuilt.geometry.in_chans
    if rebuilt.backbone.input.fixed_size:
        arguments["img_size"] = rebuilt.backbone.input.sides
    if rebuilt.settings.head.pool == "max":
        arguments["global_pool"] = "max"
    return arguments


def _tensors(rebuilt: Rebuilt, linear: nn.Linear, arguments: dict[str, Any]) -> dict[str, Tensor]:
    """Name all tensors as timm does, the head as its classifiers.

    Raises:
        ExportError: If timm's model has other tensors than the run.
    """
    name = rebuilt.backbone.name
    tensors = dict(rebuilt.backbone.model.state_dict())
    for layer in _classifiers(name):
        weight, bias = linear.weight.detach(), linear.bias.detach()
        tensors |= {f"{layer}.weight": weight, f"{layer}.bias": bias}
    todo = "use --format onnx, torch_export or mlflow"
    try:
        fresh = timm.create_model(
            name, pretrained=False, num_classes=len(rebuilt.classes), **arguments
        ).state_dict()
    except SIZE_ERRORS as error:  # a distilled model has no other pooling than its own
        given = ", ".join(f"{key}={value}" for key, value in arguments.items())
        raise ExportError(
            f"timm does not build {name} with {given} ({reason_of(error)})", todo=todo
        ) from None
    # Some classifiers are 1x1 convolutions: the same values in another shape.
    fitted = {
        key: value.reshape(fresh[key].shape).clone().contiguous()
        for key, value in tensors.items()
        if key in fresh and fresh[key].numel() == value.numel()
    }
    wrong = sorted((fresh.keys() ^ tensors.keys()) | (tensors.keys() - fitted.keys()))
    if wrong:
        reason = (
            "Frostline leaves out VGG's two layers of 4096 before the classifier, as the book does"
            if isinstance(rebuilt.backbone.model, timm.models.VGG)
            else "its own classifier is not one linear layer on pooled features"
        )
        raise ExportError(
            f"timm's {name} has other tensors than this run ({', '.join(wrong[:4])}): {reason}",
            todo=todo,
        )
    return fitted


def _classifiers(name: str) -> tuple[str, ...]:
    """The layers that timm's model of a name classifies with."""
    layers = timm_settings(name).classifier or ()
    return (layers,) if isinstance(layers, str) else tuple(layers)


def _config(rebuilt: Rebuilt, arguments: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    spec = rebuilt.backbone.input
    return {
        "architecture": rebuilt.backbone.name.partition(".")[0],
        "num_classes": len(rebuilt.classes),
        "num_features": int(rebuilt.head[-1].in_features),  # type: ignore[arg-type]
        "model_args": arguments,
        "pretrained_cfg": {
            "input_size": list(spec.shape),
            "fixed_input_size": spec.fixed_size,
            "interpolation": spec.interpolation,
            "crop_pct": spec.crop_pct,
            "crop_mode": spec.crop_mode,
            "mean": list(spec.mean),
            "std": list(spec.std),
            "num_classes": len(rebuilt.classes),
            "label_names": list(rebuilt.classes),
            "classifier": timm_settings(rebuilt.backbone.name).classifier,
            # These weights are of the model's own channels: timm has nothing to adapt.
            "first_conv": timm_settings(rebuilt.backbone.name).first_conv
            if spec.in_chans == RGB_CHANNELS
            else None,
        },
        "frostline": {key: facts[key] for key in ("run", "run_id", "preprocessing")},
    }
