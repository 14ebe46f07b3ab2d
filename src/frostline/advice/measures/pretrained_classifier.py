"""Read the classifier that a backbone was pretrained with from the file of its weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.backbone import Backbone

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """The last, linear layer.

    Attributes:
        weights: (C, F).
        bias: (C).
    """

    weights: Floats
    bias: Floats


def pretrained_classifier(backbone: Backbone, weights: str, n_features: int) -> Classifier | str:
    """Read the classifier, which is no part of the built backbone.

    Args:
        backbone: The backbone.
        weights: What it was built with: `pretrained`, `random` or a path.
        n_features: F, width of its features.

    Returns:
        The classifier, or a sentence why there is none.
    """
    from frostline.backbones.packaged_weights import rename_packaged
    from frostline.backbones.tensor_files import read_tensors
    from frostline.backbones.weights import find_weights
    from frostline.backbones.weights_hub import download, timm_filter, timm_settings

    if weights == "random":
        return "random weights know no classes"
    source = find_weights([backbone.name], weights)[backbone.name]
    tensors = read_tensors(source.file if source.file is not None else download(backbone.name))
    if source.source == "packaged":
        tensors = rename_packaged(backbone.name, tensors, backbone.model)
    else:
        tensors = timm_filter(backbone.name, backbone.model, tensors)
    layer = timm_settings(backbone.name).classifier
    if not isinstance(layer, str) or not layer:
        return f"{backbone.name} has no single linear classifier"
    matrix, bias = tensors.get(f"{layer}.weight"), tensors.get(f"{layer}.bias")
    if matrix is None:
        return f"the weights of {backbone.name} ({source.where}) come without a classifier"
    flat = matrix.flatten(1).double().numpy() if matrix.ndim > 1 else None
    if flat is None or flat.shape[1] != n_features or len(flat) < 2:
        return (
            f"the classifier in the weights of {backbone.name} takes other features than the "
            f"backbone has ({tuple(matrix.shape)}, {n_features} features)"
        )
    offsets = np.zeros(len(flat)) if bias is None else bias.double().numpy()
    return Classifier(np.asarray(flat), np.asarray(offsets))
