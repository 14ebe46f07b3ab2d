"""Which models to average: greedy selection on validation, and the mean of their probabilities.

The loss decides, not a score: a small validation set has few different scores, and a search over
many combinations would find one that is high by luck.

Source:
    Caruana, Niculescu-Mizil, Crew and Ksikes, "Ensemble selection from libraries of models", ICML
    2004: forward selection with replacement, from the best model on.
"""

from collections.abc import Sequence

import numpy as np

from frostline.stats.predictions import Floats, Ints, Predictions

# Members with repetitions; each repetition shifts a weight by at most 1 / 50.
MAX_STEPS = 50
# The smallest probability that is stored, so that a stored 0 is not taken as impossible.
_LEAST = 2.0**-24


def log_loss(probs: Floats, labels: Ints) -> float:
    """Mean cross-entropy in nats of probabilities (N, K) for labels (N,)."""
    return float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], _LEAST)).mean())


def greedy_counts(probs: Sequence[Floats], labels: Ints) -> list[int]:
    """How often each model is taken, 0 for those that are left out.

    The best one comes first; then, as long as the loss of the mean falls, the one that lowers it
    most, also again.

    Args:
        probs: Of each model, (N, K), at least one.
        labels: (N,).
    """
    losses = [log_loss(one, labels) for one in probs]
    first = int(np.argmin(losses))
    counts = [0] * len(probs)
    counts[first] = 1
    total, lowest = probs[first].astype(np.float64), losses[first]
    for taken in range(2, MAX_STEPS + 1):
        tried = [log_loss((total + one) / taken, labels) for one in probs]
        best = int(np.argmin(tried))
        if tried[best] >= lowest:
            break
        counts[best] += 1
        total, lowest = total + probs[best], tried[best]
    return counts


def averaged(members: Sequence[Predictions], counts: Sequence[int]) -> Predictions:
    """The weighted mean of the probabilities of models on the same items.

    Args:
        members: Their predictions.
        counts: How often each counts.

    Raises:
        ValueError: If they are not of the same items with the same labels.
    """
    first = members[0]
    for one in members[1:]:
        if not (
            np.array_equal(one.items, first.items) and np.array_equal(one.labels, first.labels)
        ):
            raise ValueError("predictions of other items: there is no mean")
    total = sum(n * one.probs.astype(np.float64) for one, n in zip(members, counts, strict=True))
    mean = np.asarray(total / sum(counts))
    return Predictions(first.items, first.groups, first.labels, mean.astype(np.float16))
