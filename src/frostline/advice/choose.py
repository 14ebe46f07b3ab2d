"""Choose the strategy of `strategy=auto` from measures of a run's training images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.advice.measures.measurement import Measured
from frostline.advice.measures.measurement_cache import cached_measure
from frostline.advice.quadrants import (
    BORDER,
    LARGE_IMAGES,
    LARGE_PER_CLASS,
    MIN_IMAGES,
    Quadrant,
    place,
    too_few,
)
from frostline.advice.similarity import references_for, similarity_of
from frostline.config.data_settings import RGB_CHANNELS
from frostline.config.schema import Settings
from frostline.errors import ConfigError


@dataclass(frozen=True)
class Choice:
    """A strategy and the measures that it was chosen by.

    Attributes:
        quadrant: Of the data; None if no strategy can be chosen.
        why_not: Why none can be chosen; empty otherwise.
        measured: All measures.
        caveat: Limits of the reference points; empty if they were measured with these weights.
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
    """Return the borders that a choice depends on."""
    return {
        "large_per_class": LARGE_PER_CLASS,
        "large_images": LARGE_IMAGES,
        "similarity_border": BORDER,
        "fewest_images": MIN_IMAGES,
    }


def decide(measured: Measured) -> Choice:
    """Choose a strategy by the measures."""
    references, caveat = references_for(measured.backbone, measured.weights_digest)
    familiarity = measured.familiarity
    if why_not := too_few(measured.size.images):
        return Choice(None, why_not, measured, caveat)
    if familiarity is None:
        return Choice(None, f"similarity has no meaning here: {measured.why_not}", measured, caveat)
    similarity = similarity_of(
        familiarity.confidence,
        familiarity.confidence_error,
        familiarity.agreement,
        familiarity.agreement_error,
        references,
    )
    quadrant = place(measured.size.images, measured.size.classes, similarity)
    return Choice(quadrant, "", measured, caveat)


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
            settings.weights_key,
            settings.weights_partial,
            split_seed_of(settings),
        )
        if key not in chosen:
            chosen[key] = choose_strategy(settings, on_progress=on_progress).name
        names.append(chosen[key])
    return names


def choose_strategy(settings: Settings, *, on_progress: Callable[..., None]) -> Choice:
    """Choose a strategy for a run and report it with its measures.

    Args:
        settings: Of the run. Its `image_size` is ignored, since the reference points hold for the
            weights' own size.
        on_progress: Receives `text=`.

    Raises:
        ConfigError: If the measures do not allow a choice.
        FrostlineError: If the data cannot be read, or the weights cannot be loaded.
    """
    choice = measured_choice(settings, on_progress=on_progress)
    if choice.quadrant is None:
        raise ConfigError(
            f"strategy=auto cannot choose for backbone={settings.backbone}: {choice.why_not}",
            "a pretrained backbone with its classifier, such as tf_efficientnet_lite0, and "
            f"{MIN_IMAGES} training images or more",
            "choose a strategy yourself: strategy=none, large_similar, large_different, "
            "small_similar or small_different",
        )
    for line in choice_lines(choice):
        on_progress(text=line)
    return choice


def measured_choice(settings: Settings, *, on_progress: Callable[..., None]) -> Choice:
    """Measure the training split of a run, or read cached measures, and choose.

    Raises:
        FrostlineError: If the data cannot be read, or the weights cannot be loaded.
    """
    from frostline.data.load import load_table, split_of

    if settings.weights == "random":
        raise ConfigError(
            "strategy=auto weights=random: with random weights similarity to the pretraining has "
            "no meaning, and there is nothing worth freezing",
            "weights=pretrained, or a path",
            "leave the strategy out (strategy=none)",
        )
    if settings.in_chans not in {1, RGB_CHANNELS}:
        raise ConfigError(
            f"strategy=auto in_chans={settings.in_chans}: similarity to the pretraining is "
            "measured on images in colour or grey",
            f"in_chans={RGB_CHANNELS}, 1",
            "leave the strategy out (strategy=none)",
        )
    table = load_table(settings.data, in_chans=settings.in_chans)
    measured = cached_measure(
        table,
        split_of(table, settings.data, seed=settings.seed).train,
        backbone=settings.backbone,
        weights=settings.weights,
        weights_key=settings.weights_key,
        weights_partial=settings.weights_partial,
        image_size=None,
        seed=split_seed_of(settings),
        on_progress=lambda text: on_progress(text=f"measuring {table.name} with {text}"),
    )
    return decide(measured)


def split_seed_of(settings: Settings) -> int:
    """Return the seed that splits the data: `data.split_seed`, or else the run's."""
    split_seed = settings.data.split_seed
    return settings.seed if split_seed is None else split_seed


def distances(quadrant: Quadrant) -> str:
    """How far the data is from the two borders, in words."""
    factor = 10 ** abs(quadrant.size_distance)
    side = "above" if quadrant.large else "below"
    size = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"
    similarity_side = "above" if quadrant.similar else "below"
    return (
        f"size {size} times {side} its border, "
        f"similarity {abs(quadrant.similarity_distance):.2f} {similarity_side} its border"
    )


def choice_lines(choice: Choice) -> list[str]:
    """Format a choice for the terminal: measures, borders, the strategy and its doubts."""
    quadrant, measured = choice.quadrant, choice.measured
    size, familiarity = measured.size, measured.familiarity
    lines = [
        f"  size: {size.images:,} training images, {size.per_class:,.0f} a class "
        f"(large from {LARGE_PER_CLASS:,.0f} a class), imbalance {size.imbalance:.1f}"
    ]
    if quadrant is None:
        return [*lines, f"  no strategy can be chosen: {choice.why_not}"]
    if familiarity is not None:
        lines.append(
            f"  similarity: {quadrant.similarity.position:.2f} "
            f"+- {2 * quadrant.similarity.error:.2f} (0 like drawings, 1 like photographs; "
            f"similar from {BORDER:g}): {measured.backbone} has confidence "
            f"{familiarity.confidence:.2f}, entropy {familiarity.entropy:.2f}, prototype agreement "
            f"{familiarity.agreement:.2f}"
        )
    lines.append(f"  strategy=auto: {quadrant.name} ({distances(quadrant)})")
    lines += [f"  doubt: {doubt}" for doubt in quadrant.doubts]
    return [*lines, f"  note: {choice.caveat}"] if choice.caveat else lines
