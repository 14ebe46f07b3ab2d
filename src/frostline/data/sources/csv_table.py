"""A table of images: a csv file with columns for image, label, split and group."""

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from frostline.data.layout import SPLIT_FOLDERS, LabelledImage
from frostline.data.listing import list_images
from frostline.data.sample_table import BadImage, SampleTable, name_some
from frostline.data.sources.labelled_files import FileOptions, existing_path, table_of_files
from frostline.errors import DataError

IMAGE_COLUMNS = ("image", "image_id", "image_path", "path", "filepath", "filename", "file")
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target")
Row = dict[str, str]


def load_csv(
    path: str,
    *,
    on_bad_image: str,
    images: str | None = None,
    image_column: str | None = None,
    label_column: str | Sequence[str] | None = None,
    split_column: str | None = None,
    label_names: str | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> SampleTable:
    """The table of a csv file.

    Args:
        path: The csv (or tsv) file, relative to where the person stands.
        on_bad_image: "error": unreadable or missing images end the run; "skip": they are left out.
        images: Folder of the images, relative to the csv file; None: the csv file's own.
        image_column: Column of paths or names, with or without extension; None: the first of
            `IMAGE_COLUMNS` that is there.
        label_column: Column of labels (text or numbers), or several columns of which one holds 1;
            None: the first of `LABEL_COLUMNS` that is there.
        split_column: Column of train, val, test; None: we split.
        label_names: JSON file that maps labels to names, relative to the csv file.
        group_by: A column, a leaf-map.json, or a regular expression over the path.
        names: Known class names whose spelling is taken over, such as "plantvillage".
        rename: Class names to other class names.

    Raises:
        DataError: If a column is not there, a label is empty or not one-hot, an image is listed
            with two labels, or a row has no file.
    """
    file = existing_path(path)
    if file.is_dir():
        raise DataError(
            f"data.path={path} is a folder", "a .csv or .tsv file", "use data=folder for folders"
        )
    rows, columns = _read(file)
    image = _column("image_column", image_column, columns, IMAGE_COLUMNS)
    hot = [label_column] if isinstance(label_column, str) else list(label_column or [])
    if len(hot) < 2:
        hot = [_column("label_column", hot[0] if hot else None, columns, LABEL_COLUMNS)]
    for name in (*hot, *([split_column] if split_column else [])):
        _column("label_column" if name in hot else "split_column", name, columns, ())
    root = file.parent / images if images else file.parent
    if not root.is_dir():
        raise DataError(f"data.images={images}: there is no folder {root}")

    listing = list_images(root)
    files = {found.path: found for found in listing.files}
    finder = _Finder(list(files), root, file.parent)
    mapping = _label_names(file, label_names)
    placed: dict[str, LabelledImage] = {}
    values: dict[str, dict[str, str]] = {name: {} for name in columns}
    bad, twice = [], 0
    lost: set[str] = set()
    for number, row in rows:
        label = _label(row, hot, number)
        split = _split(row[split_column], number) if split_column else ""
        found = finder.find(row[image], number)
        if found is None:
            bad.append(BadImage(row[image] or "(empty)", f"no such file (line {number})"))
            lost.add(mapping.get(label, label))
            continue
        one = LabelledImage(found, mapping.get(label, label), split)
        before = placed.setdefault(found, one)
        twice += before is not one
        if before != one:
            raise DataError(
                f"line {number} of {file.name} says '{one.label}' {split} of {found}, "
                f"an earlier line says '{before.label}' {before.split}",
                "one line, one label and one split for each image",
            )
        for name in columns:
            values[name][found] = row[name]
    notes = [f"{twice} lines repeat an earlier one"] if twice else []
    unlisted = len(files) - len(placed)
    if unlisted:
        notes.append(f"{unlisted} images in {root.name} are not listed in {file.name}")
    if not placed:
        raise DataError(
            f"none of {len(rows)} rows of {file.name} has a file in {root}, such as "
            f"{name_some((row[image] for _, row in rows), 3)}",
            todo="give the images' folder with data.images=DIR (relative to the csv file)",
        )
    lost -= {one.label for one in placed.values()}
    if lost:
        raise DataError(
            f"no image of class {name_some(sorted(lost))} of {file.name} has a file in {root}",
            todo="add the files, or remove the class from the table",
        )
    return table_of_files(
        root,
        list(placed.values()),
        files,
        name=file.stem,
        options=FileOptions(on_bad_image, group_by, names, rename),
        columns=values,
        bad=bad,
        notes=notes,
    )


def _read(file: Path) -> tuple[list[tuple[int, Row]], list[str]]:
    """All rows as text, each with the number of its line, and the columns."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.name} is not UTF-8 ({error.reason})", todo="save it as UTF-8"
        ) from None
    header = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t|", key=header.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise DataError(
            f"line {reader.line_num} of {file.name}: {error}",
            "values of ordinary length",
            "look for a quotation mark that is opened and never closed",
        ) from None
    if len(lines) < 2:
        raise DataError(
            f"{file.name} holds no row", "a line of column names, then a line for each image"
        )
    columns = [name.strip() for name in lines[0][1]]
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise DataError(f"{file.name} has columns of the same name: {name_some(repeated)}")
    for number, line in lines[1:]:
        if len(line) != len(columns):
            raise DataError(
                f"line {number} of {file.name} has {len(line)} values", f"{len(columns)} columns"
            )
    rows = [(n, dict(zip(columns, map(str.strip, line), strict=True))) for n, line in lines[1:]]
    return rows, columns


def _column(key: str, given: str | None, columns: list[str], usual: tuple[str, ...]) -> str:
    if given is not None:
        if given in columns:
            return given
        raise DataError(f"data.{key}={given}: there is no such column", name_some(columns, 40))
    plain = {name.casefold(): name for name in reversed(columns)}
    for name in usual:
        if name in plain:
            return plain[name]
    raise DataError(
        f"no column is called {name_some(usual)}",
        name_some(columns, 40),
        f"name it with data.{key}=COLUMN",
    )


def _label(row: Row, hot: list[str], number: int) -> str:
    """The label of a row: the value of one column, or the name of the column that holds 1."""
    if len(hot) == 1:
        if not row[hot[0]]:
            raise DataError(f"line {number} has no {hot[0]}", "a label in every line")
        return row[hot[0]]
    chosen = [name for name in hot if row[name] not in {"", "0", "0.0", "False", "false"}]
    if len(chosen) != 1:
        raise DataError(
            f"line {number} has {len(chosen)} labels: {name_some(chosen)}",
            f"exactly one of {name_some(hot)} set to 1",
        )
    return chosen[0]


def _split(value: str, number: int) -> str:
    split = SPLIT_FOLDERS.get(value.casefold())
    if split is None:
        raise DataError(f"line {number} has the split '{value}'", ", ".join(SPLIT_FOLDERS))
    return split


def _label_names(file: Path, given: str | None) -> dict[str, str]:
    if given is None:
        return {}
    try:
        content = json.loads((file.parent / given).read_text(encoding="utf-8"))
        return {str(label): str(name) for label, name in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"data.label_names={given}: {error}", 'a JSON file such as {"0": "healthy"}'
        ) from None


class _Finder:
    """Finds an image by its path, with or without extension, or by its name if that is unique.

    A path is relative to the images' folder or to the table, or absolute.
    """

    def __init__(self, paths: list[str], root: Path, table_folder: Path) -> None:
        self._root, self._table_folder = root, table_folder
        self._paths = set(paths)
        self._short: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            stem, _ = os.path.splitext(path)  # noqa: PTH122 (100,000 paths)
            shorter = {stem, path.rsplit("/", 1)[-1], stem.rsplit("/", 1)[-1]}
            for name in shorter - {path}:
                self._short[name].append(path)

    def find(self, name: str, number: int) -> str | None:
        """The path of the image, or None.

        Raises:
            DataError: If several images could be meant.
        """
        name = os.path.normpath(name.replace("\\", "/")).removeprefix("./")
        if name in self._paths:
            return name
        inside = os.path.relpath(os.path.join(self._table_folder, name), self._root)  # noqa: PTH118
        if inside in self._paths:
            return inside
        found = self._short.get(name, [])
        if len(found) > 1:
            raise DataError(
                f"line {number}: '{name}' may be any of {name_some(found)}",
                "paths relative to the images' folder, with the extension",
            )
        return found[0] if found else None
