"""A user's own launcher: Hydra takes launchers from `hydra_plugins` alone, so it is made here."""

from collections.abc import Mapping
from typing import Any

from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from frostline.plugins.part import PluginError, failed, named

# Keys of a launcher's yaml file that are for Frostline, not for the class.
_OURS = ("_target_", "jobs_at_once")


def own_launcher(target: str) -> type[Launcher]:
    """The class that a launcher's `_target_` names.

    Raises:
        ConfigError: If there is no such module.
        PluginError: If it cannot be imported, or is no launcher of Hydra.
    """
    found = named(target)
    if not isinstance(found, type) or not issubclass(found, Launcher):
        raise PluginError(
            f"hydra.launcher._target_={target}: it is no launcher",
            "a class under hydra.plugins.launcher.Launcher, or under "
            "hydra_plugins.frostline.IsolatedLauncher",
        )
    return found


def made_launcher(
    target: str,
    options: Mapping[Any, Any],
    context: HydraContext,
    task_function: TaskFunction,
    config: DictConfig,
) -> Launcher:
    """Make an own launcher with the keys of its yaml file, and set it up as Hydra does.

    Raises:
        PluginError: If it cannot be made.
    """
    own = {str(key): value for key, value in options.items() if key not in _OURS}
    kind = own_launcher(target)
    try:
        launcher = kind(**own)
        launcher.setup(hydra_context=context, task_function=task_function, config=config)
    except Exception as error:
        raise failed(target, "cannot be made", error) from error
    return launcher
