"""The jobs of a sweep composed quickly: what only sets values is put into what is composed already.

Hydra reads and merges every file of the config anew for each job, a tenth of a second each time.
Jobs that choose the same files differ in plain values alone.
"""

import copy
from collections.abc import Sequence
from functools import cache

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


class Composer:
    """Composes jobs as Hydra does, each choice of files once.

    Args:
        loader: Hydra's own.
        master: The config of the command, which the jobs start from.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self._loader = loader
        self._master = master
        self._parser = OverridesParser.create(config_loader=loader)
        self._parsed = cache(self._parse)
        self._is_group = cache(self._find_group)
        self._with_files = cache(self._compose)

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """A job's config, with its `hydra` node.

        Raises:
            HydraException: If Hydra cannot compose it.
        """
        parsed = [self._parsed(word) for word in overrides]
        values = [each for each in parsed if self._sets_value(each)]
        if any(self._changes_keys(each) for each in parsed):
            return self._compose(tuple(overrides))
        files = [
            word for word, each in zip(overrides, parsed, strict=True) if not self._sets_value(each)
        ]
        config = copy.deepcopy(self._with_files(tuple(files)))
        try:
            for override in values:
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            return self._compose(tuple(overrides))  # which tells what is wrong with it
        config.hydra.overrides.task = [
            word
            for word, each in zip(overrides, parsed, strict=True)
            if not each.is_hydra_override()
        ]
        return config

    def _parse(self, word: str) -> Override:
        (override,) = self._parser.parse_overrides([word])
        return override

    def _find_group(self, key: str) -> bool:
        return bool(self._loader.get_group_options(key, results_filter=None))

    def _sets_value(self, override: Override) -> bool:
        """Whether it gives a key that is there another value, and chooses no file."""
        return (
            not (override.is_delete() or override.is_add() or override.is_force_add())
            and override.package is None
            and not override.is_hydra_override()
            and not self._is_group(override.key_or_group)
        )

    def _changes_keys(self, override: Override) -> bool:
        """Whether it adds or removes keys, whose order among the others counts."""
        changes = override.is_delete() or override.is_add() or override.is_force_add()
        return changes and not self._is_group(override.key_or_group)

    def _compose(self, overrides: tuple[str, ...]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._master, list(overrides))
        return composed
