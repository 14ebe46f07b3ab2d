"""Read a data set with the library `datasets`: its splits, its columns and its labels."""

from pathlib import Path
from typing import Any

from frostline.data.layout import SPLIT_FOLDERS
from frostline.data.sample_table import name_some
from frostline.data.source_kind import is_saved_dataset
from frostline.errors import DataError


def read_dataset(path: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """Load a data set of the hub, or one on this disk.

    Returns:
        Split name to data set; a single split is called `all`.

    Raises:
        DataError: If the library is missing, it cannot load the data set, or a split is unknown.
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
    unknown = [name for name in loaded if name.casefold() not in SPLIT_FOLDERS]
    if unknown:
        raise DataError(
            f"unknown splits of {path}: {name_some(unknown)}", "train, validation, test"
        )
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


def label_texts(part: Any, label: str) -> list[str]:
    """Return the labels as text; numbers of a ClassLabel by their names.

    Raises:
        DataError: If a row has no label.
    """
    feature, values = part.features[label], part[label]
    empty = [row for row, value in enumerate(values) if value is None or value == -1]
    if empty:
        raise DataError(f"{len(empty)} rows have no {label}, such as row {empty[0]}")
    if type(feature).__name__ == "ClassLabel":
        return [str(feature.int2str(int(value))) for value in values]
    return [str(value) for value in values]
