"""`data.folds=5` in a sweep is all five folds: one job each."""

from collections.abc import Sequence

from frostline.config.schema import Settings
from frostline.config.value_origins import key_of
from frostline.errors import ConfigError

_FOLD = "data.fold"
# Each fold is a training of its own: far more are a slip, such as the number of images.
_MOST = 100


def with_all_folds(words: Sequence[str], settings: Settings) -> list[list[str]]:
    """A job's overrides once for each fold, where it asks for folds and names none.

    Args:
        words: Overrides with one value each.
        settings: What they compose to: folds may be asked for by a file of conf/ as well.

    Returns:
        The overrides alone, where they ask for no folds or name one.

    Raises:
        ConfigError: If there would be more than 100 jobs.
    """
    folds = settings.data.folds
    # A fold that a file names cannot be distinguished from the default, unless it is another one.
    names_fold = settings.data.fold != 0 or any(key_of(word) == _FOLD for word in words)
    if folds is None or names_fold:
        return [list(words)]
    if folds > _MOST:
        raise ConfigError(
            f"data.folds={folds}: a sweep would train {folds} folds of each configuration",
            f"3 to {_MOST} folds, or those that you name: {_FOLD}=0,1,2",
        )
    return [[*words, f"{_FOLD}={fold}"] for fold in range(folds)]
