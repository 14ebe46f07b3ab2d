"""The classifier that a backbone was pretrained with: left out of the model, read from its file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.backbones.build import Backbone

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
    """Read the classifier from the file that the backbone's weights came from.

    Args:
        backbone: The backbone.
        weights: What it was built with: `pretrained`, `random` or a path.
        n_features: F, width of its features.

    Returns:
        The classifier, or the reason in words why there is none.
    """
    from frostline.backbones.packaged_weights import rename_packaged
    from frostline.backbones.weights import preflight, read_tensors
    from frostline.backbones.weights_hub import download, timm_filter, timm_settings

    if weights == "random":
        return "random weights know no classes"
    source = preflight([backbone.name], weights)[backbone.name]
    tensors = read_tensors(source.file if source.file is not None else download(backbone.name))
    if source.source == "packaged":
        tensors = rename_packaged(backbone.name, tensors, backbone.model)
    else:
        tensors = timm_filter(backbone.name, backbone.model, tensors)
    named = timm_settings(backbone.name).classifier
    if not isinstance(named, str) or not named:
        return f"{backbone.name} has no single linear classifier"
    matrix, bias = tensors.get(f"{named}.weight"), tensors.get(f"{named}.bias")
    if matrix is None:
        return f"the weights of {backbone.name} ({source.where}) come without a classifier"
    flat = matrix.flatten(1).double().numpy() if matrix.ndim > 1 else None
    if flat is None or flat.shape[1] != n_features or len(flat) < 2:
        return (
            f"the classifier in the weights of {backbone.name} takes other features than those "
            f"that the backbone gives ({tuple(matrix.shape)}, {n_features} features)"
        )
    shift = np.zeros(len(flat)) if bias is None else bias.double().numpy()
    return Classifier(np.asarray(flat), np.asarray(shift))
