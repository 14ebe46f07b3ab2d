"""How familiar images look to the classifier that a backbone was pretrained with."""

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
    from frostline.backbones.weights_place import below

    if weights == "random":
        return "random weights know no classes"
    source = find_weights([backbone.name], weights)[backbone.name]
    tensors = read_tensors(source.file if source.file is not None else download(backbone.name))
    if source.source == "packaged":
        tensors = rename_packaged(backbone.name, tensors, backbone.model)
    else:
        part = below(tensors, backbone.weights.path)
        tensors = timm_filter(backbone.name, backbone.model, part)
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


@dataclass(frozen=True)
class Familiarity:
    """Means over the images, and standard errors over their groups.

    Attributes:
        confidence: Mean top-1 probability.
        confidence_error: Its standard error.
        entropy: Mean entropy over its largest possible value.
        agreement: Mean largest cosine between features and class prototypes.
        agreement_error: Its standard error.
    """

    confidence: float
    confidence_error: float
    entropy: float
    agreement: float
    agreement_error: float


def familiarity_of(
    features: Floats, classifier: Classifier, groups: NDArray[np.str_]
) -> Familiarity:
    """Measure how familiar images look, from the features that the classifier gets.

    Args:
        features: (N, F).
        classifier: Of C classes.
        groups: (N): images of one group count as one in the errors.
    """
    probs = probabilities(features, classifier.weights, classifier.bias)
    confidence = top_confidence(probs)
    agreement = prototype_agreement(features, classifier.weights)
    return Familiarity(
        confidence=float(confidence.mean()),
        confidence_error=error_by_group(confidence, groups),
        entropy=float(normalised_entropy(probs).mean()),
        agreement=float(agreement.mean()),
        agreement_error=error_by_group(agreement, groups),
    )


def probabilities(features: Floats, weights: Floats, bias: Floats) -> Floats:
    """Apply a linear classifier with softmax.

    Args:
        features: (N, F).
        weights: (C, F).
        bias: (C).

    Returns:
        (N, C), rows sum to 1.
    """
    logits = features @ weights.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def normalised_entropy(probs: Floats) -> Floats:
    """Return the entropy of each row over its largest possible value, log C.

    Args:
        probs: (N, C), rows sum to 1.

    Returns:
        (N) in 0 .. 1; 0 where one class is certain.

    Source:
        Shannon 1948; as a measure of unfamiliar images: Hendrycks and Gimpel 2017
        (arXiv:1610.02136).
    """
    safe = np.where(probs > 0, probs, 1.0)
    return np.asarray(-(probs * np.log(safe)).sum(axis=1) / np.log(probs.shape[1]))


def top_confidence(probs: Floats) -> Floats:
    """Return the largest probability of each row, (N).

    Source:
        Maximum softmax probability, Hendrycks and Gimpel 2017 (arXiv:1610.02136).
    """
    return np.asarray(probs.max(axis=1))


def prototype_agreement(features: Floats, prototypes: Floats) -> Floats:
    """Return each image's largest cosine similarity with a class prototype.

    The rows of the last layer's weights serve as prototypes. The mean row is subtracted from all of
    them, and from each vector the mean of its F values, since features after a ReLU all point in
    one direction.

    Args:
        features: (N, F), what the classifier gets.
        prototypes: (C, F), its weights.

    Returns:
        (N) in -1 .. 1; high where an image looks like some class of the pretraining.

    Source:
        Weight rows as class prototypes: Qi et al. 2018 (arXiv:1712.07136), "Low-Shot Learning with
        Imprinted Weights", section 3. The centring is ours.
    """
    rows = prototypes - prototypes.mean(axis=0)
    images = features - features.mean(axis=1, keepdims=True)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    images = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-12)
    return np.asarray((images @ rows.T).max(axis=1))


def error_by_group(values: Floats, groups: NDArray[np.str_]) -> float:
    """Return the standard error of the mean of N values, where a group counts as one.

    Source:
        The linearised variance of a ratio of cluster totals (Cochran 1977, chapter 9).
    """
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    if n_groups < 2:
        return float("inf")
    totals = np.bincount(codes, weights=values - values.mean())
    return float(np.sqrt((totals**2).sum() * n_groups / (n_groups - 1)) / len(values))
