"""Read a data set with the library `datasets`: its splits, its columns and its labels."""

from pathlib import Path
from typing import Any

from frostline.data.sample_table import name_some
from frostline.data.source_kind import is_saved_dataset
from frostline.errors import DataError


def read_dataset(path: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """Load a data set of the hub, or one on this disk.

    Returns:
        Split name to data set; a single split is called `all`.

    Raises:
        DataError: If the library is missing, or it cannot load the data set.
    """
    try:
        import datasets  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise DataError(
            "data=hub needs the package datasets", todo="install it: pip install datasets"
        ) from None
    local = Path(path).expanduser()
    try:
        if is_saved_dataset(local):
            loaded = datasets.load_from_disk(str(local))
        else:
            name = str(local) if local.exists() else path
            loaded = datasets.load_dataset(name, config, revision=revision)
    except Exception as error:
        # The library raises a dozen kinds of errors; the user sees each with its own text.
        raise DataError(
            f"data.path={path}: {type(error).__name__}: {error}",
            "a name on the hub (OWNER/NAME), or a folder of a data set on this disk",
            "check the name and the network, or download the data set and give its folder",
        ) from None
    if not isinstance(loaded, dict):
        return {"all": loaded}
    if len(loaded) == 1:
        return {"all": next(iter(loaded.values()))}
    return dict(loaded)


def find_feature(part: Any, key: str, given: str | None, kind: str) -> str:
    """Find a column.

    Args:
        part: One split.
        key: The key of the `data` group that names the column, for messages.
        given: Its value; None: the only column of the kind.
        kind: The kind of feature, such as "Image".

    Raises:
        DataError: If there is no such column, or several of the kind.
    """
    if given is not None:
        if given in part.column_names:
            return given
        raise DataError(
            f"data.{key}={given}: there is no such column", name_some(part.column_names, 40)
        )
    matches = [name for name, feature in part.features.items() if type(feature).__name__ == kind]
    if not matches and kind == "ClassLabel" and "label" in part.column_names:
        return "label"
    if len(matches) != 1:
        raise DataError(
            f"{len(matches)} columns are of the kind {kind}: {name_some(matches)}",
            name_some(part.column_names, 40),
            f"name it with data.{key}=COLUMN",
        )
    return str(matches[0])


def label_texts(part: Any, label: str) -> list[str | None]:
    """Return labels as text, numbers of a ClassLabel by their names; None where there is none."""
    feature, values = part.features[label], part[label]
    if type(feature).__name__ == "ClassLabel":
        return [None if k is None or k < 0 else str(feature.int2str(int(k))) for k in values]
    return [None if value is None or value == -1 else str(value) for value in values]
