"""A data set of the Hugging Face hub, or one in that format on this disk."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.class_names import spelling
from frostline.data.groups import group_images
from frostline.data.layout import LabelledImage
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import SampleTable, name_some
from frostline.data.scan import SCAN_VERSION
from frostline.data.sources.hub_library import find_feature, label_texts, read_dataset
from frostline.data.sources.part_rows import row_names, splits_of_parts, table_of_rows
from frostline.errors import DataError


@dataclass(frozen=True)
class HubOpener:
    """Reads images of a loaded data set by `split/row`."""

    parts: Mapping[str, Any] = field(repr=False)
    column: str

    def read(self, item: str) -> bytes:
        """Read the bytes of an image file."""
        split, row = item.split("/")
        cell = self.parts[split][int(row)][self.column] or {}
        return cell.get("bytes") or (Path(cell["path"]).read_bytes() if cell.get("path") else b"")


def load_hub(
    path: str,
    *,
    on_bad_image: str,
    config: str | None = None,
    revision: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    on_bad_label: str = "error",
    splits: Mapping[str, str | None] | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    in_chans: int = RGB_CHANNELS,
) -> SampleTable:
    """Load the table of a data set in the format of the `datasets` library.

    Args:
        path: A name on the hub such as `mohanty/PlantVillage`, or a local folder: one written by
            `save_to_disk`, or one of parquet files or images.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        config: The data set's configuration, where it has several.
        revision: A commit on the hub; None: the newest.
        image_column: None: the only column of images.
        label_column: None: the only column of class labels, or the one called `label`.
        on_bad_label: "error": rows without a label are an error; "skip": they are left out.
        splits: Splits of the data set to "train", "val" or "test"; None leaves one out. Empty:
            they are not used.
        group_by: A column such as `leaf_id`, or a regular expression over the item's name.
        names: Set of known class names whose spelling is used, such as "plantvillage".
        rename: Class names to other class names.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        in_chans: Channels that the network takes.

    Raises:
        DataError: If the library is missing, the data set cannot be loaded, or a column does not
            exist.
    """
    parts = read_dataset(path, config, revision)
    first = next(iter(parts.values()))
    image_feature = find_feature(first, "image_column", image_column, "Image")
    label_feature = find_feature(first, "label_column", label_column, "ClassLabel")
    from datasets import Image as ImageFeature  # type: ignore[import-untyped]

    parts = {
        name: part.cast_column(image_feature, ImageFeature(decode=False))
        for name, part in parts.items()
    }
    spell = spelling(names, rename)
    notes = ReadingNotes()
    split_of = splits_of_parts(
        {name: len(part) for name, part in parts.items()}, splits, path, notes
    )
    parts = {name: part for name, part in parts.items() if name in split_of}
    opener = HubOpener(parts, image_feature)
    images: list[LabelledImage] = []
    unlabelled: list[str] = []
    columns: dict[str, dict[str, str]] = {
        name: {} for name in first.column_names if name != image_feature
    }
    for name, part in parts.items():
        items = row_names(name, len(part))
        labels = label_texts(part, label_feature)
        for item, label in zip(items, labels, strict=True):
            if label is None:
                unlabelled.append(item)
            else:
                images.append(LabelledImage(item, spell(label), split_of[name]))
        for column in columns:
            values = (str(value) if value is not None else "" for value in part[column])
            columns[column] |= dict(zip(items, values, strict=True))
    images.sort(key=lambda image: image.path)
    _report_unlabelled(unlabelled, label_feature, on_bad_label, notes)
    groups, group_notes = group_images(images, group_by, columns)
    notes.extend(group_notes)

    return table_of_rows(
        images,
        groups,
        opener.read,
        scan_name=_scan_name(opener, in_chans),
        on_bad_image=on_bad_image,
        in_chans=in_chans,
        name=Path(path).name,
        notes=notes,
        source=path,
        min_classes=min_classes,
        value_range=value_range,
    )


def _report_unlabelled(
    items: list[str], column: str, on_bad_label: str, notes: ReadingNotes
) -> None:
    if not items:
        return
    text = f"{len(items)} rows have no {column}: {name_some(items, 5)}"
    if on_bad_label == "skip":
        notes.add(f"ignored {text}", "no label", items)
        return
    raise DataError(
        text, "a label in every row", "leave these rows out with data.on_bad_label=skip"
    )


def _scan_name(opener: HubOpener, in_chans: int) -> str:
    """Under which the scan is kept: by the data set's own fingerprint."""
    prints = "\0".join(part._fingerprint for part in opener.parts.values())
    channels = "" if in_chans == RGB_CHANNELS else f"\0{in_chans} channels"
    text = f"{SCAN_VERSION}\0{opener.column}\0{prints}{channels}"
    return f"hub-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
