"""A user's own code in a sweep: that of the plan, and kept with each run."""

from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.plugins.own_backbones import target_of
from frostline.plugins.part import PluginChangedError, targets_of
from frostline.plugins.source_code import files_of, source_of

if TYPE_CHECKING:
    from frostline.tracking.tracked_run import Run


def check_code(settings: Settings) -> None:
    """Refuse own code other than that which the job was planned for.

    Raises:
        PluginChangedError: If it differs.
    """
    planned = settings.sweep.code
    if planned is not None and planned != settings.own_code:
        raise PluginChangedError(
            f"own code has changed since the sweep was planned: it was {planned}, "
            f"is {settings.own_code}",
            todo="give the command again: it then plans for the code that is there now",
        )


def keep_own_code(run: "Run", settings: Settings) -> None:
    """Keep the files of the user's own code with the run that they decide."""
    if settings.own_code is None:
        return
    targets = [
        each for part in settings.own_parts for each in targets_of(part.target, part.options)
    ]
    backbone = target_of(settings.backbone)
    for target in [*targets, *([backbone] if backbone else [])]:
        source = source_of(target)
        if source.is_own:
            for name, file in files_of(source).items():
                run.log_text(file.read_text(encoding="utf-8"), f"plugins/{name}.py")
    run.set_tags({"frostline.own_code": settings.own_code})
