"""From the words of a command to the jobs of a sweep.

A study's words are a grid that crosses, cells that do not, and axes of named choices:

    params: {seed: "0,1,2"}             every value with everything else
    cells:  {NAME: [key=value, ...]}    one configuration each
    axes:   {AXIS: {NAME: [...]}}       one name of each axis, crossed

All of them are overrides as on the command line; what a user types comes last and wins. Hydra reads
and merges every file of the config anew for each job, a tenth of a second each time; jobs that
choose the same files differ in plain values alone, which are set in a copy of what is composed.
"""

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from frostline.errors import ConfigError

_ALLOWED = "NAME: [key=value, ...]"


@dataclass(frozen=True)
class StudyCell:
    """One configuration of a study, before its seeds.

    Attributes:
        names: What it is called on each axis; a cell of a plain list has one name, a cell of a
            mere grid has none.
        words: Its overrides.
    """

    names: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def label(self) -> str:
        """The names in one line."""
        return ", ".join(self.names)


def study_cells(cells: Any, axes: Any) -> list[StudyCell]:
    """All cells of a study; one without a name where it has neither cells nor axes.

    Args:
        cells: Name to overrides, or None.
        axes: Axis to such a mapping, or None.

    Raises:
        ConfigError: If they are written in another way.
    """
    choices = [_named(f"axes.{axis}", named) for axis, named in _mapping("axes", axes).items()]
    if cells is not None:
        choices.append(_named("cells", cells))
    return [
        StudyCell(
            tuple(name for name, _ in combination),
            tuple(word for _, words in combination for word in words),
        )
        for combination in itertools.product(*choices)
    ]


def words_of(
    cell: StudyCell, params: Mapping[str, Any], typed: Sequence[str], parser: OverridesParser
) -> list[str]:
    """The overrides of a cell: the grid's, its own, the typed ones; a later one of a key wins.

    Args:
        cell: The cell.
        params: Key to sweep values.
        typed: The words of the command line.
        parser: Hydra's.

    Raises:
        ConfigError: If a word of the cell cannot be read, or a word sweeps over nothing.
    """
    try:
        own = parser.parse_overrides(list(cell.words))
    except HydraException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"cell {cell.label}: {first}", _ALLOWED) from None
    overrides = [*own, *parser.parse_overrides(list(typed))]
    for override in overrides:
        # Such as freeze=glob(*): patterns choose among the files of a group in conf/.
        if override.is_discrete_sweep() and not any(True for _ in override.sweep_iterator()):
            raise ConfigError(
                f"{override.input_line}: no value fits, so there is no job",
                f"{override.key_or_group}=VALUE,VALUE,...",
            )
    given = {override.key_or_group for override in overrides}
    grid = [f"{key}={value}" for key, value in params.items() if key not in given]
    return [*grid, *cell.words, *typed]


def _mapping(key: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"hydra.sweeper.{key}: not a mapping", f"{key}: {{{_ALLOWED}}}")
    return value


def _named(key: str, named: Any) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for name, words in _mapping(key, named).items():
        listed = isinstance(words, Sequence) and not isinstance(words, str)
        if not listed or not all(isinstance(word, str) and "=" in word for word in words):
            raise ConfigError(f"hydra.sweeper.{key}.{name}: {words}", _ALLOWED)
        found.append((str(name), tuple(words)))
    if not found:
        raise ConfigError(f"hydra.sweeper.{key}: it is empty", _ALLOWED)
    return found


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
        self._sources = loader.get_sources()
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
                OmegaConf.update(
                    config,
                    override.key_or_group,
                    override.value(),
                    merge=True,
                    force_add=override.is_force_add(),
                )
        except OmegaConfBaseException:
            return self._compose(tuple(overrides))  # which reports what is wrong
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
        # As the loader's `get_group_options`, which looks for the sources anew for each key.
        sources = self._sources
        return any(each.is_group(key) and each.list(key, results_filter=None) for each in sources)

    def _sets_value(self, override: Override) -> bool:
        """Whether it gives a key that is there another value, and chooses no file."""
        return (
            not (override.is_delete() or override.is_add())
            and (not override.is_force_add() or _is_tag(override))
            and override.package is None
            and not override.is_hydra_override()
            and not self._is_group(override.key_or_group)
        )

    def _changes_keys(self, override: Override) -> bool:
        """Whether it adds or removes keys, whose order among the others counts."""
        adds = override.is_force_add() and not _is_tag(override)
        changes = override.is_delete() or override.is_add() or adds
        return changes and not self._is_group(override.key_or_group)

    def _compose(self, overrides: tuple[str, ...]) -> DictConfig:
        composed: DictConfig = self._loader.load_sweep_config(self._master, list(overrides))
        return composed


def _is_tag(override: Override) -> bool:
    """Whether it gives a tag of the user's own, whose place among the keys does not count."""
    return bool(override.key_or_group.split(".")[0] == "tags")
