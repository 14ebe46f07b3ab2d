"""Record who set each value of a run, and what its strategy was chosen by."""

from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.config.value_origins import origins_in_one_line, origins_of

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run


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
