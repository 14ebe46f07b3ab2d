"""`data.folds=5` in a sweep is all five folds: one job each."""

from collections.abc import Sequence

from frostline.errors import ConfigError

_FOLDS, _FOLD = "data.folds", "data.fold"
# Each fold is a training of its own: far more are a slip, such as the number of images.
_MOST = 100


def with_all_folds(words: Sequence[str]) -> list[list[str]]:
    """A job's overrides once for each fold, where it asks for folds and names none.

    Args:
        words: Overrides with one value each; the last of a key counts.

    Returns:
        The overrides alone, where they ask for no folds or name one. A number that is none is left
        to the check of the config.

    Raises:
        ConfigError: If there would be more than 100 jobs.
    """
    values = {}
    for word in words:
        key, _, value = word.partition("=")
        values[key.lstrip("+")] = value
    asked = values.get(_FOLDS, "")
    if not asked.isascii() or not asked.isdecimal() or _FOLD in values or int(asked) < 1:
        return [list(words)]
    if int(asked) > _MOST:
        raise ConfigError(
            f"{_FOLDS}={asked}: a sweep would train {asked} folds of each configuration",
            f"3 to {_MOST} folds, or those that you name: {_FOLD}=0,1,2",
        )
    return [[*words, f"{_FOLD}={fold}"] for fold in range(int(asked))]
