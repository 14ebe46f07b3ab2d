"""What Hydra finds of Frostline: its sweeper and its launcher.

Hydra takes plugins from the namespace package `hydra_plugins` alone; the code is in src/sweep.
"""

from src.sweep import launcher, sweeper


class PlannedSweeper(sweeper.PlannedSweeper):
    """src.sweep.sweeper.PlannedSweeper under a name that Hydra accepts."""


class IsolatedLauncher(launcher.IsolatedLauncher):
    """src.sweep.launcher.IsolatedLauncher under a name that Hydra accepts."""
