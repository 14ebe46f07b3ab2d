"""The values that a cell chooses from: its grid, from `tune`, the strategy and what was typed.

A grid belongs to the job alone: it does not depend on the other cells of a sweep, so that a job
tuned by itself and the same job in a sweep are one job with one result.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ValidationError

from frostline.config.recipe import CrossEntropy, LinearHead
from frostline.config.schema import Settings
from frostline.errors import ConfigError

Grid = dict[str, tuple[float, ...]]
Values = Mapping[str, float]
LrFrom = Literal["tuned", "typed", "strategy"]

LR = "lr"
# Groups whose numbers are part of the recipe. Other numbers say what is compared, on which images,
# for how long or where: tuned, they would make cells incomparable.
_RECIPE = ("optimizer", "lr_schedule", "loss", "mix", "head", "schedule")
_RECIPE_KEYS = (LR, "batch_size")
# Groups that say how a head is optimised: whoever sets one wants it to be used.
_OPTIMISATION = ("optimizer", "lr_schedule")
# Where the grid of rates lies is no part of a recipe.
_NOT_TUNED = ("optimizer.lr_center",)
_SIGNIFICANT_DIGITS = 2


def grid_of(settings: Settings) -> Grid:
    """The keys that a job tunes, each with its values in rising order; empty if it tunes nothing.

    Learning rates have two digits, so that a chosen one can be typed.

    Args:
        settings: The job.
    """
    keys = [key for key in settings.tune.values_of if _is_tuned(key, settings)]
    grid = {}
    for key in keys:
        values = settings.tune.values_of[key]
        grid[key] = _rates(settings) if values == "auto" else tuple(sorted(map(float, values)))
    return grid


def is_tuned(settings: Settings) -> bool:
    """Whether a job chooses any value for itself."""
    return bool(grid_of(settings))


def on_tuning_seed(settings: Settings) -> Settings:
    """A job of the same cell with the seed on which the cell's values are chosen."""
    tune = settings.tune
    seed = settings.seed if tune.each_seed or tune.seed is None else tune.seed
    if seed == settings.seed:
        return settings
    # Another seed may split the data otherwise, which this job's plan does not know.
    sweep = settings.sweep.model_copy(update={"split_digest": None})
    return settings.model_copy(update={"seed": seed, "sweep": sweep})


def solves_head(settings: Settings) -> bool:
    """Whether a tuned job with `freeze=all` solves its head exactly instead of training it.

    That is so for a linear head whose loss is convex, unless the user chose how it is optimised.
    Its features have to be the same in every epoch and few enough to be held, which is for the
    caller to know.
    """
    typed = settings.strategy.typed or ()
    return (
        settings.tune.solve_head
        and settings.ema is None
        and set(grid_of(settings)) == {LR}
        and settings.tune.values_of[LR] == "auto"
        and not any(key.split(".")[0] in _OPTIMISATION for key in typed)
        and isinstance(settings.head, LinearHead)
        and settings.head.dropout == 0
        and isinstance(settings.loss, CrossEntropy)
        and settings.data.sampling == "natural"
    )


def tunes_alone(settings: Settings) -> bool:
    """Whether its average, or what it leaves, keeps a job's candidates from one batch of heads.

    They are then judged early, as at other depths, and may come to another choice.
    """
    return (
        settings.callbacks.csv
        or settings.callbacks.tensorboard
        or settings.evidence.name == "full"
        or settings.ema is not None
    )


def lr_from(settings: Settings) -> LrFrom:
    """Where a job's learning rate comes from: the tag `lr_from`."""
    if settings.lr == "auto":
        return "tuned"
    typed = settings.strategy.typed or ()
    has_strategy = settings.strategy.in_force not in {"none", "auto"}
    return "strategy" if has_strategy and LR not in typed else "typed"


def candidates_of(grid: Grid) -> list[dict[str, float]]:
    """All combinations of a grid's values, the last key varying fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def next_rate(rate: float, *, upwards: bool, step: float) -> float:
    """The learning rate beside one at the end of a grid of `lr=auto`.

    Args:
        rate: The highest or lowest of the grid.
        upwards: Which of them it is.
        step: The factor between two rates.
    """
    return rounded(rate * step if upwards else rate / step)


def with_values(settings: Settings, values: Values) -> Settings:
    """The settings with tuned keys set to numbers.

    Raises:
        ConfigError: If a value is not allowed for its key, or a key is no number of the recipe.
    """
    content = settings.model_dump()
    for key, value in values.items():
        *groups, name = key.split(".")
        node: Any = content
        for group in groups:
            node = node.get(group) if isinstance(node, dict) else None
        known = isinstance(node, dict) and name in node
        if not known or not _is_recipe(key) or not _is_number(node[name], key):
            raise ConfigError(
                f"tune.over={{{key}: ...}}: {_why_not(key, known=known)}",
                f"lr, batch_size, or a number of {', '.join(_RECIPE)} such as "
                "optimizer.weight_decay",
            )
        is_whole = isinstance(node[name], int) and float(value).is_integer()
        node[name] = int(value) if is_whole else value
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        given = "; ".join(
            f"{problem.get('input')}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise ConfigError(
            f"tune.over={{{', '.join(values)}: ...}}: {given}",
            todo="leave the values out that the key cannot have",
        ) from None


def with_middle_rate(settings: Settings) -> Settings:
    """Give `lr=auto` a number where it is not tuned: the middle of the grid that it would have."""
    if settings.lr != "auto" or _is_tuned(LR, settings):
        return settings
    return settings.model_copy(update={"lr": _center(settings)})


def check_tuning(settings: Settings) -> None:
    """Check the grid of a job against its other settings.

    Raises:
        ConfigError: If a key cannot be tuned, is typed as well, or has values it cannot take.
    """
    typed = settings.strategy.typed or ()
    for key in settings.tune.over or ():
        if key in typed and not (key == LR and settings.lr == "auto"):
            raise ConfigError(
                f"{key} is given a value and is in tune.over as well",
                todo=f"leave {key}=... out, so that it is tuned; or take it out of tune.over",
            )
    for key, values in grid_of(settings).items():
        for value in values:
            with_values(settings, {key: value})


def rounded(value: float) -> float:
    """A value as people would type it: two significant digits."""
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


def _rates(settings: Settings) -> tuple[float, ...]:
    """`tune.candidates` rates around the strategy's or the optimiser's, one `tune.step` apart."""
    tune = settings.tune
    center = _center(settings)
    lowest = -(tune.candidates // 2)
    return tuple(
        rounded(center * tune.step**place) for place in range(lowest, lowest + tune.candidates)
    )


def _center(settings: Settings) -> float:
    """The strategy's rate, or the optimiser's."""
    return settings.tune.center or settings.optimizer.lr_center


def _is_tuned(key: str, settings: Settings) -> bool:
    if key not in settings.tune.values_of:
        return False
    if key == LR:
        return settings.lr == "auto"
    return key not in (settings.strategy.typed or ())


def _is_recipe(key: str) -> bool:
    return (key in _RECIPE_KEYS or key.split(".")[0] in _RECIPE) and key not in _NOT_TUNED


def _is_number(value: Any, key: str) -> bool:
    if key == LR:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _why_not(key: str, *, known: bool) -> str:
    if not known:
        return "there is no such key"
    if not _is_recipe(key):
        return "it is not part of the recipe; sweep over it instead"
    return "it is not a number"
