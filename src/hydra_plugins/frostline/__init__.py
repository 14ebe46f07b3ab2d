"""What Hydra finds of Frostline: its sweeper, its launcher, and where users' own yaml files are.

Hydra instantiates plugins from the namespace package `hydra_plugins` alone.
"""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from frostline.plugins.folders import conf_folders
from frostline.sweeps import launcher, sweeper


class PlannedSweeper(sweeper.PlannedSweeper):
    """frostline.sweeps.sweeper.PlannedSweeper under a name that Hydra accepts."""


class IsolatedLauncher(launcher.IsolatedLauncher):
    """frostline.sweeps.launcher.IsolatedLauncher under a name that Hydra accepts."""


class OwnConfFolders(SearchPathPlugin):
    """Lets Hydra look into a user's conf/ and those of installed plugins: frostline.plugins."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append them, so that what Frostline has keeps its names."""
        for folder in conf_folders():
            search_path.append("frostline.plugins", f"file://{folder}")
