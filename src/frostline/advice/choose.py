"""`strategy=auto`: measure the training images of a run and choose; kept for the next time."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.advice.measure import Measured, measure, measured_from
from frostline.advice.quadrants import (
    BORDER,
    FEWEST_IMAGES,
    LARGE_IMAGES,
    LARGE_PER_CLASS,
    Quadrant,
    place,
    similarity_of,
    too_few,
)
from frostline.advice.references import references_for
from frostline.config.schema import Settings
from frostline.data.cache import cache_folder
from frostline.errors import ConfigError
from frostline.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from frostline.data.sample_table import SampleTable


@dataclass(frozen=True)
class Choice:
    """A strategy and what it was chosen by.

    Attributes:
        quadrant: Where the data stands; None where that cannot be told.
        why_not: Why it cannot; empty otherwise.
        measured: All measures.
        caveat: What must be said of the reference points; empty if they are this extractor's own.
    """

    quadrant: Quadrant | None
    why_not: str
    measured: Measured
    caveat: str

    @property
    def name(self) -> str:
        """The strategy."""
        assert self.quadrant is not None
        return self.quadrant.name

    def plain(self) -> dict[str, Any]:
        """Everything as plain values: the artifact `strategy.json`."""
        return {
            "choice": None if self.quadrant is None else self.quadrant.name,
            "why_not": self.why_not,
            "quadrant": None if self.quadrant is None else self.quadrant.plain(),
            "thresholds": thresholds(),
            "caveat": self.caveat,
            "measured": self.measured.plain(),
        }


def thresholds() -> dict[str, float]:
    """The borders that a choice depends on."""
    return {
        "large_per_class": LARGE_PER_CLASS,
        "large_images": LARGE_IMAGES,
        "similarity_border": BORDER,
        "fewest_images": FEWEST_IMAGES,
    }


def decide(measured: Measured) -> Choice:
    """Choose by what was measured."""
    references, caveat = references_for(measured.backbone, measured.weights_digest)
    known = measured.familiarity
    if why_not := too_few(measured.size.images):
        return Choice(None, why_not, measured, caveat)
    if known is None:
        return Choice(None, f"similarity has no meaning here: {measured.why_not}", measured, caveat)
    similarity = similarity_of(
        known.confidence,
        known.confidence_error,
        known.agreement,
        known.agreement_error,
        references,
    )
    quadrant = place(measured.size.images, measured.size.classes, similarity)
    return Choice(quadrant, "", measured, caveat)


def choose_strategy(settings: Settings, *, on_progress: Callable[..., None]) -> Choice:
    """Measure the training split of a run, or read what was measured before, and choose.

    Args:
        settings: The run; its own `image_size` does not count, since reference points hold for the
            weights' own size.
        on_progress: Receives `text=`.

    Raises:
        ConfigError: If the measures do not allow a choice.
        FrostlineError: If the data or the weights cannot be had.
    """
    choice = measured_choice(settings, on_progress=on_progress)
    if choice.quadrant is None:
        raise ConfigError(
            f"strategy=auto cannot tell for backbone={settings.backbone}: {choice.why_not}",
            "a pretrained backbone with its classifier, such as tf_efficientnet_lite0, and "
            f"{FEWEST_IMAGES} training images or more",
            "choose a strategy yourself: strategy=none, large_similar, large_different, "
            "small_similar or small_different",
        )
    for line in choice_lines(choice):
        on_progress(text=line)
    return choice


def choose_strategies(jobs: Sequence[Settings], *, on_progress: Callable[..., None]) -> list[str]:
    """Choose a strategy for each job; equal data, backbone, weights and split are measured once.

    Args:
        jobs: Settings with `strategy=auto`.
        on_progress: Receives `text=`.

    Returns:
        The name of a strategy for each job.

    Raises:
        FrostlineError: If the data or the backbone does not allow a choice.
    """
    chosen: dict[tuple[object, ...], str] = {}
    names = []
    for settings in jobs:
        key = (
            settings.data.model_dump_json(),
            settings.backbone,
            settings.weights,
            settings.seed if settings.data.split_seed is None else settings.data.split_seed,
        )
        if key not in chosen:
            chosen[key] = choose_strategy(settings, on_progress=on_progress).name
        names.append(chosen[key])
    return names


def measured_choice(settings: Settings, *, on_progress: Callable[..., None]) -> Choice:
    """What is measured on a run's training split, from the cache if it was before.

    Raises:
        FrostlineError: If the data or the weights cannot be had.
    """
    from frostline.data.load import load_table, split_of

    if settings.weights == "random":
        raise ConfigError(
            "strategy=auto weights=random: with random weights similarity to the pretraining has "
            "no meaning, and there is nothing worth freezing",
            "weights=pretrained, or a path",
            "leave the strategy out (strategy=none)",
        )
    table = load_table(settings.data)
    rows = split_of(table, settings.data, seed=settings.seed).train
    split_seed = settings.data.split_seed
    seed = settings.seed if split_seed is None else split_seed
    return decide(
        cached_measure(
            table,
            rows,
            backbone=settings.backbone,
            weights=settings.weights,
            image_size=None,
            seed=seed,
            on_progress=lambda text: on_progress(text=f"measuring {table.name} with {text}"),
        )
    )


def cached_measure(
    table: "SampleTable",
    rows: "NDArray[np.int64]",
    *,
    backbone: str,
    weights: str,
    image_size: int | None,
    seed: int,
    on_progress: Callable[[str], None],
) -> Measured:
    """`measure`, or its result from the cache."""
    from frostline.backbones.weights import preflight

    source = preflight([backbone], weights)[backbone]
    chosen = hashlib.sha256("\0".join(table.items[row] for row in rows.tolist()).encode())
    parts = (
        table.fingerprint,
        chosen.hexdigest(),
        backbone,
        source.digest or source.where,
        str(image_size),
        str(seed),
        _code(),
    )
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    file = cache_folder("strategies") / f"{key}.json"
    if file.is_file():
        return measured_from(json.loads(file.read_text(encoding="utf-8")))
    found = measure(
        table,
        rows,
        backbone=backbone,
        weights=weights,
        image_size=image_size,
        seed=seed,
        on_progress=on_progress,
    )
    with replacing(file) as temporary:
        temporary.write_text(json.dumps(found.plain()), encoding="utf-8")
    return found


@cache
def _code() -> str:
    """A digest over the code that measures come from."""
    digest = hashlib.sha256()
    own = (
        "measure",
        "stage_features",
        "linear_probe",
        "knn",
        "logme",
        "held_out",
        "prototypes",
        "entropy",
    )
    for name in (*own, "pretrained_classifier"):
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def choice_lines(choice: Choice) -> list[str]:
    """A choice in a few lines for the terminal: measurements, borders, the strategy, the doubts."""
    quadrant, measured = choice.quadrant, choice.measured
    size = measured.size
    lines = [
        f"  size: {size.images:,} training images, {size.per_class:,.0f} a class "
        f"(large from {LARGE_PER_CLASS:,.0f} a class), imbalance {size.imbalance:.1f}"
    ]
    known = measured.familiarity
    if known is not None and quadrant is not None:
        lines.append(
            f"  similarity: {quadrant.similarity.position:.2f} "
            f"+- {2 * quadrant.similarity.error:.2f} (0 like drawings, 1 like photographs; "
            f"similar from {BORDER:g}): {measured.backbone} is sure by {known.confidence:.2f}, "
            f"entropy {known.entropy:.2f}, prototypes {known.agreement:.2f}"
        )
    if quadrant is None:
        return [*lines, f"  cannot tell: {choice.why_not}"]
    lines.append(
        f"  strategy=auto: {quadrant.name} (size {quadrant.size_distance:+.2f} decades, "
        f"similarity {quadrant.similarity_distance:+.2f} from the border)"
    )
    lines += [f"  doubt: {doubt}" for doubt in quadrant.doubts]
    return [*lines, f"  note: {choice.caveat}"] if choice.caveat else lines
