"""Plain timm models for the peers: the weights that Frostline starts from, nothing else of it.

What a peer cannot know by itself is asked once, before anything is timed: the first values of the
weights and which tensors a depth freezes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from benchmarks.jobs import Job, Workload
from frostline.backbones.build import build_backbone
from frostline.data.augmentations import CROP_FRAC
from frostline.data.geometry import Geometry, crop_source_geometry, evaluation_geometry


@dataclass(frozen=True)
class Given:
    """What all systems start from for one backbone.

    Attributes:
        name: The timm name.
        file: Where the state dict lies.
        features: F, the width that the head takes.
        mean: Of the normalisation, by channel.
        std: The same.
        geometry: How an image becomes a square.
        crops: The larger square that random crops are taken from.
        frozen: `freeze` to the names of the frozen tensors.
    """

    name: str
    file: Path
    features: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    geometry: Geometry
    crops: Geometry
    frozen: dict[str, frozenset[str]]


Givens = dict[tuple[str, int | None], Given]


def key_of(job: Job) -> tuple[str, int | None]:
    """What distinguishes starting weights: random ones are drawn from the seed."""
    return job.backbone, job.seed if job.weights == "random" else None


def prepare(work: Workload, folder: Path) -> Givens:
    """Write down what the peers start from.

    Raises:
        AssertionError: If a chain of a model's modules is not the model.
    """
    made: Givens = {}
    for job in work.jobs:
        if key_of(job) in made:
            continue
        backbone = build_backbone(
            job.backbone, weights=job.weights, image_size=work.image_size, seed=job.seed
        )
        place = folder / f"{job.backbone}-{key_of(job)[1]}.pt"
        torch.save(backbone.model.state_dict(), place)
        wanted = {each.freeze for each in work.jobs if each.backbone == job.backbone}
        size = work.image_size
        with torch.inference_mode():
            features = backbone.eval()(torch.zeros(1, 3, size, size)).shape[1]
        frozen = {
            freeze: backbone.depth(int(freeze) if freeze.isdigit() else freeze).frozen_tensors
            for freeze in wanted
        }
        given = Given(
            job.backbone, place, features, backbone.input.mean, backbone.input.std,
            evaluation_geometry(backbone.input), crop_source_geometry(backbone.input, CROP_FRAC),
            frozen,
        )  # fmt: skip
        _check(given, backbone, size)
        made[key_of(job)] = given
    return made


def load(given: Given) -> nn.Module:
    """The model as timm makes it, without its classifier, with its weights."""
    model: nn.Module = timm.create_model(given.name, pretrained=False, num_classes=0)
    model.load_state_dict(torch.load(given.file, weights_only=True))
    return model


def chain(model: Any) -> list[tuple[str, nn.Module]]:
    """The modules that a model passes its images through, one after the other, by name.

    Raises:
        ValueError: If nobody has written down how this kind of model runs.
    """
    kind = type(model).__name__
    match kind:
        case "ResNet":
            names = ["conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
            names.append("global_pool")
        case "EfficientNet":
            names = ["conv_stem", "bn1", "blocks", "conv_head", "bn2", "global_pool"]
        case "ConvNeXt":
            names = ["stem", "stages", "norm_pre", "head"]
        case _:
            raise ValueError(f"{kind}: write its chain of modules down in benchmarks/plain.py")
    found: list[tuple[str, nn.Module]] = []
    for name in names:
        module = getattr(model, name)
        if isinstance(module, nn.Sequential) and name != "head":
            found += [(f"{name}.{child}", part) for child, part in module.named_children()]
        else:
            found.append((name, module))
    return found


def divided(model: nn.Module, frozen: frozenset[str]) -> tuple[nn.Sequential, nn.Sequential]:
    """The chain up to the first module that trains, frozen, and the rest."""
    parts = chain(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    trains = [
        number
        for number, (_, part) in enumerate(parts)
        if any(parameter.requires_grad for parameter in part.parameters())
    ]
    first = trains[0] if trains else len(parts)
    return (
        nn.Sequential(*(part for _, part in parts[:first])),
        nn.Sequential(*(part for _, part in parts[first:])),
    )


def _check(given: Given, backbone: nn.Module, size: int) -> None:
    model = load(given).eval()
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    whole = nn.Sequential(*(part for _, part in chain(model)))
    with torch.inference_mode():
        wanted = backbone(images)
        for outputs in (model(images), whole(images)):
            assert torch.allclose(outputs, wanted, rtol=1e-4, atol=1e-5), given.name
