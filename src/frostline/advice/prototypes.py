"""Agreement of new images with the classes that the pretrained classifier knows."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def prototype_agreement(features: Floats, prototypes: Floats) -> Floats:
    """Each image's largest cosine similarity with a class prototype.

    The rows of the last layer's weights serve as prototypes: what the net would have to see to be
    sure of a class. What all rows have in common is taken out of them, and the mean over its F
    values out of each vector, since features after a rectifier all point one way.

    Args:
        features: (N, F), what the classifier is given.
        prototypes: (C, F), its weights.

    Returns:
        (N) in -1 .. 1; high where images look like some class of the pretraining.

    Source: weight rows as class prototypes: Qi et al. 2018 (arXiv:1712.07136), "Low-Shot Learning
    with Imprinted Weights", section 3. The centring is ours.
    """
    rows = prototypes - prototypes.mean(axis=0)
    seen = features - features.mean(axis=1, keepdims=True)
    rows = rows - rows.mean(axis=1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    seen = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-12)
    return np.asarray((seen @ rows.T).max(axis=1))
