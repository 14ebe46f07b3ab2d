"""What a run's record says of its strategy: who set each value, and what was measured."""

from typing import TYPE_CHECKING

from frostline.advice.value_sources import origins_of, told
from frostline.config.schema import Settings

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run


def record_strategy(tracked: "Run", settings: Settings) -> None:
    """Write down who set what; for `strategy=auto` also the choice and its measurements.

    Args:
        tracked: The run's record.
        settings: The run, its strategy chosen.
    """
    found = origins_of(settings)
    tracked.log_dict(found, "set_by.json")
    tracked.set_tags({"frostline.set_by": told(found)})
    if settings.strategy.name != "none":
        tracked.set_tags({"frostline.strategy": settings.strategy.in_force})
    if settings.strategy.choice is not None:
        from frostline.advice.choose import measured_choice

        choice = measured_choice(settings, on_progress=lambda **_: None)
        tracked.log_dict(choice.plain(), "strategy.json")
