"""Replace `strategy=auto` by the strategy chosen for a job's data, and record who set what."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from frostline.config.freeze_value import listed_stages
from frostline.config.schema import Settings
from frostline.config.value_origins import key_of, origins_in_one_line, origins_of

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run

Recompose = Callable[[list[str]], Settings]
Choose = Callable[[Sequence[Settings]], list[str]]
Job = tuple[tuple[str, ...], Settings]


def resolve_all(jobs: Sequence[Job], recompose: Recompose, choose: Choose) -> list[Job]:
    """Give every job with `strategy=auto` its strategy; its overrides stay as the user wrote them.

    Args:
        jobs: Overrides and settings.
        recompose: Overrides to settings.
        choose: Settings of the jobs with `strategy=auto` to the names of their strategies.
    """
    asking = [settings for _, settings in jobs if settings.strategy.asks_for_choice]
    if not asking:
        return list(jobs)
    choices = iter(choose(asking))
    return [
        (
            overrides,
            with_choice(overrides, settings, next(choices), recompose)
            if settings.strategy.asks_for_choice
            else settings,
        )
        for overrides, settings in jobs
    ]


def with_choice(
    overrides: Sequence[str], settings: Settings, choice: str, recompose: Recompose
) -> Settings:
    """Compose a job again with the strategy that was chosen for its data.

    Args:
        overrides: What the job was composed from; they or its study contain `strategy=auto`.
        settings: What they compose to.
        choice: The name of a strategy.
        recompose: Overrides to settings.
    """
    typed = settings.strategy.typed or []
    return recompose([*without(overrides, ["strategy"]), *choice_overrides(choice, typed)])


def choice_overrides(choice: str | None, typed: Iterable[str]) -> list[str]:
    """Return overrides that pass on the chosen strategy and the keys that the user typed."""
    typed_override = f"strategy.typed=[{','.join(typed)}]"
    if choice is None:
        return [typed_override]
    return [
        f"strategy={choice}",
        "strategy.name=auto",
        f"strategy.choice={choice}",
        typed_override,
    ]


def launch_overrides(overrides: Sequence[str], settings: Settings) -> list[str]:
    """Return overrides from which a launcher composes exactly these settings again.

    Args:
        overrides: What the user asked for.
        settings: The resolved settings: strategy chosen, `freeze=-1` and `middle` replaced by their
            stages, the seed on which is tuned.
    """
    own = list(overrides)
    if settings.strategy.choice is not None:
        own = without(own, ["strategy"])
    own += choice_overrides(settings.strategy.choice, settings.strategy.typed or [])
    if isinstance(settings.freeze, int) or listed_stages(settings.freeze):
        own = [*without(own, ["freeze"]), f"freeze={settings.freeze}"]
    if settings.tune.seed is not None:
        own = [*without(own, ["tune.seed"]), f"tune.seed={settings.tune.seed}"]
    return own


def without(overrides: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Return the overrides except those of some keys."""
    return [override for override in overrides if key_of(override) not in keys]


def record_strategy(tracked: "Run", settings: Settings) -> None:
    """Log who set each value; for `strategy=auto` also the choice and its measurements.

    Args:
        tracked: The run in the tracking store.
        settings: Of the run; its strategy has been chosen.
    """
    entries = origins_of(settings)
    tracked.log_dict(entries, "set_by.json")
    tracked.set_tags({"frostline.set_by": origins_in_one_line(entries)})
    if settings.strategy.name != "none":
        tracked.set_tags({"frostline.strategy": settings.strategy.in_force})
    if settings.strategy.choice is not None:
        from frostline.advice.choose import measured_choice

        choice = measured_choice(settings, on_progress=lambda **_: None)
        tracked.log_dict(choice.plain(), "strategy.json")
