"""A csv file with columns for image, label, split and group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.channels import takes_arrays
from frostline.data.layout import LabelledImage
from frostline.data.listing import list_images
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import BadImage, SampleTable, name_some
from frostline.data.sources.image_finder import ImageFinder
from frostline.data.sources.labelled_files import FileOptions, existing_path, table_of_files
from frostline.data.sources.table_columns import find_column, unused_split_column
from frostline.data.sources.table_labels import labels_of_rows, read_label_names
from frostline.data.sources.table_text import Row, read_rows
from frostline.data.split_names import split_of_each
from frostline.errors import DataError

# Further names come at the end, so that a table with several of them is read as before.
IMAGE_COLUMNS = (
    *("image", "image_id", "image_path", "path", "filepath", "filename", "file"),
    *("file_name", "image_name", "image_file", "img_path", "img_name", "img", "file_path"),
    *("filepaths", "filenames", "images"),
)
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target", "labels", "class_label")


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
    label_names: str | Sequence[str] | Mapping[str, str] | None = None,
    on_bad_label: str = "error",
    splits: Mapping[str, str | None] | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    in_chans: int = RGB_CHANNELS,
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
        label_names: Names of the labels 0, 1, ..., a map from labels to names, or a JSON file of
            one of them, relative to the csv file.
        on_bad_label: "error": a row without exactly one label is an error; "skip": it is left out.
        splits: Values of the split column to "train", "val" or "test"; None leaves rows out.
        group_by: A column, a .json of groups, or a regular expression over the path.
        names: Set of known class names whose spelling is used, such as "plantvillage".
        rename: Class names to other class names.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        in_chans: Channels that the network takes.

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

    files = {found.path: found for found in list_images(root, arrays=takes_arrays(in_chans)).files}
    notes = ReadingNotes()
    present = {row[name] for _, row in rows for name in columns.labels[:1]}
    labels = labels_of_rows(
        rows,
        columns.labels,
        read_label_names(file.parent, label_names, present),
        known=list(rename or {}),
        on_bad_label=on_bad_label,
        notes=notes,
    )
    splits_of_rows = _splits_of_rows(rows, columns.split, splits, all_columns, notes)
    rows = [(n, row) for n, row in rows if n in labels and splits_of_rows[n] is not None]
    finder = ImageFinder(list(files), root, file.parent)
    finder.learn(row[columns.image] for _, row in rows)
    matched = _match_rows(rows, all_columns, columns.image, labels, splits_of_rows, finder, file)
    _check_matched(matched, rows, columns.image, file, root)
    _note_guesses(finder, notes)
    if matched.repeated:
        notes.add(f"{matched.repeated} lines repeat an earlier one")
    unlisted = sorted(set(files) - set(matched.images))
    if unlisted:
        notes.add(
            f"{len(unlisted)} images in {root.name} are not listed in {file.name}",
            "not listed",
            unlisted,
        )
    return table_of_files(
        root,
        list(matched.images.values()),
        files,
        name=file.stem,
        options=FileOptions(
            on_bad_image, group_by, names, rename, min_classes, value_range, in_chans
        ),
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


def _splits_of_rows(
    rows: list[tuple[int, Row]],
    column: str | None,
    given: Mapping[str, str | None] | None,
    columns: list[str],
    notes: ReadingNotes,
) -> dict[int, str | None]:
    """Return the split of each row by its line: empty without a column, None if it is left out.

    Raises:
        DataError: If it is not plain which split a value means.
    """
    if column is None:
        unused = unused_split_column(rows, columns)
        if unused:
            notes.add(
                f"column '{unused}' seems to hold splits, which are not used: "
                f"data.split_column={unused} takes them over"
            )
        return {number: "" for number, _ in rows}
    lines = {row[column]: number for number, row in reversed(rows)}
    found = split_of_each(lines, given, lambda value: f"line {lines[value]}")
    splits = {number: found[row[column]] for number, row in rows}
    left_out = [number for number, split in splits.items() if split is None]
    if left_out:
        notes.add(
            f"data.splits leaves out {len(left_out)} rows",
            "splits",
            [f"line {number}" for number in left_out],
        )
    return splits


def _note_guesses(finder: ImageFinder, notes: ReadingNotes) -> None:
    if finder.beginning:
        notes.add(f"the paths are read without '{finder.beginning}', which is not on this machine")
    for guess, n in sorted(finder.guessed.items()):
        notes.add(f"{n} rows name their image with another spelling ({guess})")


def _match_rows(
    rows: list[tuple[int, Row]],
    all_columns: list[str],
    image_column: str,
    labels: Mapping[int, str],
    splits: Mapping[int, str | None],
    finder: ImageFinder,
    file: Path,
) -> _Matched:
    """Find the file of each row.

    Raises:
        DataError: If an image is listed with two labels or splits.
    """
    matched = _Matched(values={name: {} for name in all_columns})
    for number, row in rows:
        label, split = labels[number], splits[number] or ""
        name = row[image_column]
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
