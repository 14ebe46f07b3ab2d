"""What Hydra finds of Frostline: its search path, its sweeper and its launcher.

Hydra takes plugins from the namespace package `hydra_plugins` alone; the code is in src/sweep.
"""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from src.sweep import launcher, sweeper


class StudiesSearchPath(SearchPathPlugin):
    """Lets `+experiments=NAME` find experiments/NAME.yaml beside conf/."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the project's root, which holds the folder experiments/."""
        root = Path(__file__).resolve().parents[2]
        search_path.append(provider="frostline", path=f"file://{root}")


class PlannedSweeper(sweeper.PlannedSweeper):
    """src.sweep.sweeper.PlannedSweeper under a name that Hydra accepts."""


class IsolatedLauncher(launcher.IsolatedLauncher):
    """src.sweep.launcher.IsolatedLauncher under a name that Hydra accepts."""
