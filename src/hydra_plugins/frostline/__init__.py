"""What Hydra finds of Frostline: its sweeper and its launcher.

Hydra instantiates plugins from the namespace package `hydra_plugins` alone.
"""

from frostline.sweep import launcher, sweeper


class PlannedSweeper(sweeper.PlannedSweeper):
    """frostline.sweep.sweeper.PlannedSweeper under a name that Hydra accepts."""


class IsolatedLauncher(launcher.IsolatedLauncher):
    """frostline.sweep.launcher.IsolatedLauncher under a name that Hydra accepts."""
