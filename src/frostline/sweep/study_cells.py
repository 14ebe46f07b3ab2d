"""What a study runs: a grid that crosses, cells that do not, and axes of named choices.

    params: {seed: "0,1,2"}             every value with everything else
    cells:  {NAME: [key=value, ...]}    one configuration each
    axes:   {AXIS: {NAME: [...]}}       one name of each axis, crossed

All of them are words of the command line; what a person types comes last and wins.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

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
