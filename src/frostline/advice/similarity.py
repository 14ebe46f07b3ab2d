"""The similarity axis: a data set's likeness to the pretraining's images, by reference sets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from pathlib import Path
from typing import Any

# Written by `python -m experiments.tools.references`.
REFERENCES_FILE = Path(__file__).with_name("references.json")
FALLBACK_BACKBONE = "tf_efficientnet_lite0"


@dataclass(frozen=True)
class Reference:
    """A data set that was measured with a backbone.

    Attributes:
        name: The data set.
        kind: `similar`: photographs of things that ImageNet has; `different`: drawings;
            `between`: altered photographs, which fix neither end of the axis.
        confidence: Mean top-1 probability of the pretrained classifier.
        agreement: Mean largest cosine between features and class prototypes.
        entropy: Mean entropy over its largest possible value.
        images: How many were measured.
    """

    name: str
    kind: str
    confidence: float
    agreement: float
    entropy: float
    images: int


@dataclass(frozen=True)
class Similarity:
    """The position of a data set on the similarity axis.

    Attributes:
        position: Mean of the next two: 0 is the mean of the different references, 1 that of the
            similar ones; values outside of 0 .. 1 are possible.
        by_confidence: Position by the log odds of the mean top-1 confidence.
        by_agreement: Position by the mean agreement with class prototypes.
        error: Standard error of the position, from the spread between images alone.
    """

    position: float
    by_confidence: float
    by_agreement: float
    error: float


def references_for(backbone: str, weights_digest: str) -> tuple[tuple[Reference, ...], str]:
    """Return the reference points for a backbone.

    Args:
        backbone: Its name.
        weights_digest: Digest of its weights.

    Returns:
        The references, and a caveat: empty if they were measured with these very weights.
    """
    backbones = _file_content()["backbones"]
    name = next((k for k, v in backbones.items() if v["weights_digest"] == weights_digest), None)
    caveat = ""
    if name is None:
        name = FALLBACK_BACKBONE
        caveat = (
            f"the reference points were measured with {name} and its own weights, not with "
            f"{backbone}: the confidences of two backbones are not on one scale, so read the "
            "position on the axis as a guess"
        )
    return tuple(Reference(**entry) for entry in backbones[name]["sets"]), caveat


@cache
def _file_content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(REFERENCES_FILE.read_text(encoding="utf-8"))
    return content


def log_odds(share: float) -> float:
    """Return the log odds of a share, clipped at one in a million.

    Source:
        Berkson 1944.
    """
    clipped = min(max(share, 1e-6), 1 - 1e-6)
    return log(clipped / (1 - clipped))


def between(value: float, low: float, high: float) -> float:
    """Return where a value lies between two others: 0 at `low`, 1 at `high`.

    Raises:
        ValueError: If the two are the same.
    """
    if high == low:
        raise ValueError("both ends of the axis are the same")
    return (value - low) / (high - low)


def similarity_of(
    confidence: float,
    confidence_error: float,
    agreement: float,
    agreement_error: float,
    references: Sequence[Reference],
) -> Similarity:
    """Locate a data set between the different references and the similar ones.

    Args:
        confidence: Mean top-1 probability.
        confidence_error: Its standard error.
        agreement: Mean agreement with class prototypes.
        agreement_error: Its standard error.
        references: At least one of kind `similar` and one `different`.

    Raises:
        ValueError: If a kind is missing.

    Source:
        Confidence as a sign of unfamiliar images: Hendrycks and Gimpel 2017 (arXiv:1610.02136);
        weight rows as prototypes: Qi et al. 2018 (arXiv:1712.07136). The scale between measured
        references is ours.
    """
    ends: dict[str, tuple[float, float]] = {}
    for kind in ("different", "similar"):
        own = [reference for reference in references if reference.kind == kind]
        if not own:
            raise ValueError(f"no reference of kind {kind}")
        ends[kind] = (
            sum(log_odds(one.confidence) for one in own) / len(own),
            sum(one.agreement for one in own) / len(own),
        )
    low, high = ends["different"], ends["similar"]
    first = between(log_odds(confidence), low[0], high[0])
    second = between(agreement, low[1], high[1])
    # The slope of the log odds is 1 / (p (1 - p)).
    slope = 1 / max(confidence * (1 - confidence), 1e-6)
    errors = (
        confidence_error * slope / (high[0] - low[0]),
        agreement_error / (high[1] - low[1]),
    )
    # Both come from the same images, so their errors are added and not averaged as independent.
    return Similarity((first + second) / 2, first, second, sum(map(abs, errors)) / 2)
