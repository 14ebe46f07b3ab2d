"""From what was asked for to what is run: `strategy=auto` becomes one of the four strategies."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from frostline.advice.value_sources import key_of
from frostline.config.schema import Settings
from frostline.errors import FrostlineError

Recompose = Callable[[list[str]], Settings]
Choose = Callable[[Sequence[Settings]], list[str]]


def with_choice(
    overrides: Sequence[str], settings: Settings, choice: str, recompose: Recompose
) -> Settings:
    """Compose a job again with the strategy that was chosen for its data.

    Args:
        overrides: What the job was composed from, `strategy=auto` among it or in its study.
        settings: What they compose to.
        choice: The name of a strategy.
        recompose: Overrides to settings.
    """
    typed = settings.strategy.typed or []
    return recompose([*without(overrides, ["strategy"]), *choice_overrides(choice, typed)])


def choice_overrides(choice: str | None, typed: Iterable[str]) -> list[str]:
    """Overrides that tell a job what was chosen for it, and what a person had typed."""
    told = [f"strategy.typed=[{','.join(typed)}]"]
    if choice is None:
        return told
    return [f"strategy={choice}", "strategy.name=auto", f"strategy.choice={choice}", *told]


def launch_overrides(overrides: Sequence[str], settings: Settings) -> list[str]:
    """Overrides from which a launcher composes just these settings again.

    Args:
        overrides: What the person asked for.
        settings: What it came to: strategy chosen, depth counted from the start.
    """
    own = list(overrides)
    if settings.strategy.choice is not None:
        own = without(own, ["strategy"])
    own += choice_overrides(settings.strategy.choice, settings.strategy.typed or [])
    if isinstance(settings.freeze, int):
        own = [*without(own, ["freeze"]), f"freeze={settings.freeze}"]
    return own


def without(overrides: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Overrides but those of some keys."""
    return [text for text in overrides if key_of(text) not in keys]


def resolve_all(
    jobs: Sequence[tuple[tuple[str, ...], Settings]], recompose: Recompose, choose: Choose
) -> list[tuple[tuple[str, ...], Settings]]:
    """Give each job that asks for it its strategy; the overrides stay what the person wrote.

    Args:
        jobs: Overrides and settings.
        recompose: Overrides to settings.
        choose: Settings of the jobs that ask to the names of their strategies.
    """
    asking = [settings for _, settings in jobs if settings.strategy.asks_for_choice]
    if not asking:
        return list(jobs)
    answers = iter(choose(asking))
    return [
        (
            overrides,
            with_choice(overrides, settings, next(answers), recompose)
            if settings.strategy.asks_for_choice
            else settings,
        )
        for overrides, settings in jobs
    ]


def choose_here(jobs: Sequence[Settings], *, on_progress: Callable[..., None]) -> list[str]:
    """Measure what the jobs ask for; each data set, backbone and split once.

    Returns:
        The name of a strategy for each job.

    Raises:
        FrostlineError: If the data or the backbone does not allow an answer.
    """
    from frostline.advice.choose import choose_strategy

    known: dict[Any, str] = {}
    names = []
    for settings in jobs:
        key = (
            settings.data.model_dump_json(),
            settings.backbone,
            settings.weights,
            settings.seed if settings.data.split_seed is None else settings.data.split_seed,
        )
        if key not in known:
            known[key] = choose_strategy(settings, on_progress=on_progress).name
        names.append(known[key])
    return names


def choose_elsewhere(jobs: Sequence[Settings], on_progress: Callable[[str], None]) -> list[str]:
    """`choose_here` in a warm process, since it loads the heavy libraries."""
    from frostline.sweep import workers

    found = workers.call(
        choose_here, list(jobs), on_event=lambda message: on_progress(message["text"])
    )
    if isinstance(found, workers.Failure):
        raise found.error or FrostlineError(found.reason, todo=found.trace)
    names: list[str] = found
    return names
