"""A csv file with columns for image, label, split and group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frostline.data.layout import LabelledImage
from frostline.data.listing import list_images
from frostline.data.sample_table import BadImage, SampleTable, name_some
from frostline.data.sources.csv_rows import (
    ImageFinder,
    Row,
    find_column,
    label_of_row,
    read_label_names,
    read_rows,
    split_of_value,
)
from frostline.data.sources.labelled_files import FileOptions, existing_path, table_of_files
from frostline.errors import DataError

IMAGE_COLUMNS = ("image", "image_id", "image_path", "path", "filepath", "filename", "file")
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target")


@dataclass(frozen=True)
class _Columns:
    """The columns in use: of images, of labels (several if one-hot), of splits (or None)."""

    image: str
    labels: list[str]
    split: str | None


@dataclass
class _Matched:
    """Rows matched with files.

    Attributes:
        images: The images, by path.
        values: Column name to (path to value).
        missing: Rows without a file.
        missing_labels: The classes of those rows.
        repeated: Number of rows that repeat an earlier one.
    """

    images: dict[str, LabelledImage] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[BadImage] = field(default_factory=list)
    missing_labels: set[str] = field(default_factory=set)
    repeated: int = 0


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
    """Load the table of a csv file.

    Args:
        path: The csv (or tsv) file, relative to the working directory.
        on_bad_image: "error": unreadable or missing images are an error; "skip": they are left out.
        images: Folder of the images, relative to the csv file; None: the folder of the csv file.
        image_column: Column of paths or names, with or without extension; None: the first of
            `IMAGE_COLUMNS` that is there.
        label_column: Column of labels (text or numbers), or several columns of which one has 1;
            None: the first of `LABEL_COLUMNS` that is there.
        split_column: Column of train, val, test; None: Frostline splits.
        label_names: JSON file that maps labels to names, relative to the csv file.
        group_by: A column, a leaf-map.json, or a regular expression over the path.
        names: Set of known class names whose spelling is used, such as "plantvillage".
        rename: Class names to other class names.

    Raises:
        DataError: If a column does not exist, a label is empty or not one-hot, an image is listed
            with two labels, or a row has no file.
    """
    file = existing_path(path)
    if file.is_dir():
        raise DataError(
            f"data.path={path} is a folder", "a .csv or .tsv file", "use data=folder for folders"
        )
    rows, all_columns = read_rows(file)
    columns = _choose_columns(all_columns, image_column, label_column, split_column)
    root = file.parent / images if images else file.parent
    if not root.is_dir():
        raise DataError(f"data.images={images}: there is no folder {root}")

    files = {found.path: found for found in list_images(root).files}
    finder = ImageFinder(list(files), root, file.parent)
    matched = _match_rows(
        rows, all_columns, columns, finder, read_label_names(file, label_names), file
    )
    _check_matched(matched, rows, columns.image, file, root)
    notes = [f"{matched.repeated} lines repeat an earlier one"] if matched.repeated else []
    n_unlisted = len(files) - len(matched.images)
    if n_unlisted:
        notes.append(f"{n_unlisted} images in {root.name} are not listed in {file.name}")
    return table_of_files(
        root,
        list(matched.images.values()),
        files,
        name=file.stem,
        options=FileOptions(on_bad_image, group_by, names, rename),
        columns=matched.values,
        bad=matched.missing,
        notes=notes,
    )


def _choose_columns(
    columns: list[str],
    image_column: str | None,
    label_column: str | Sequence[str] | None,
    split_column: str | None,
) -> _Columns:
    image = find_column("image_column", image_column, columns, IMAGE_COLUMNS)
    labels = [label_column] if isinstance(label_column, str) else list(label_column or [])
    if len(labels) < 2:
        given = labels[0] if labels else None
        labels = [find_column("label_column", given, columns, LABEL_COLUMNS)]
    for name in labels:
        find_column("label_column", name, columns, ())
    if split_column:
        find_column("split_column", split_column, columns, ())
    return _Columns(image, labels, split_column)


def _match_rows(
    rows: list[tuple[int, Row]],
    all_columns: list[str],
    columns: _Columns,
    finder: ImageFinder,
    label_names: Mapping[str, str],
    file: Path,
) -> _Matched:
    """Find the file of each row.

    Raises:
        DataError: If a label or split is not usable, or an image is listed with two of them.
    """
    matched = _Matched(values={name: {} for name in all_columns})
    for number, row in rows:
        label = label_of_row(row, columns.labels, number)
        label = label_names.get(label, label)
        split = split_of_value(row[columns.split], number) if columns.split else ""
        name = row[columns.image]
        path = finder.find(name, number)
        if path is None:
            matched.missing.append(BadImage(name or "(empty)", f"no such file (line {number})"))
            matched.missing_labels.add(label)
            continue
        image = LabelledImage(path, label, split)
        earlier = matched.images.setdefault(path, image)
        matched.repeated += earlier is not image
        if earlier != image:
            raise DataError(
                f"line {number} of {file.name} has '{image.label}' {split} for {path}, "
                f"an earlier line has '{earlier.label}' {earlier.split}",
                "one line, one label and one split for each image",
            )
        for column in all_columns:
            matched.values[column][path] = row[column]
    return matched


def _check_matched(
    matched: _Matched, rows: list[tuple[int, Row]], image_column: str, file: Path, root: Path
) -> None:
    """Raise DataError if no row, or no row of a class, has a file."""
    if not matched.images:
        raise DataError(
            f"none of {len(rows)} rows of {file.name} has a file in {root}, such as "
            f"{name_some((row[image_column] for _, row in rows), 3)}",
            todo="give the images' folder with data.images=DIR (relative to the csv file)",
        )
    lost = matched.missing_labels - {image.label for image in matched.images.values()}
    if lost:
        raise DataError(
            f"no image of class {name_some(sorted(lost))} of {file.name} has a file in {root}",
            todo="add the files, or remove the class from the table",
        )
