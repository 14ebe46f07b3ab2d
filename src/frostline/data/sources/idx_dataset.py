"""A data set in MNIST's form: a file of images beside a file of labels, for each split."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.class_names import spelling
from frostline.data.groups import group_images
from frostline.data.layout import LabelledImage
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import SampleTable
from frostline.data.scan import SCAN_VERSION
from frostline.data.source_kind import IDX_IMAGES
from frostline.data.sources.idx_file import read_idx
from frostline.data.sources.labelled_files import existing_path
from frostline.data.sources.part_rows import row_names, splits_of_parts, table_of_rows
from frostline.data.sources.table_labels import read_label_names
from frostline.errors import DataError

# What MNIST calls its test images: ten thousand of them.
_TEST_PART = "t10k"


@dataclass(frozen=True)
class IdxReader:
    """Reads images of the arrays by `part/row`, each as the bytes of a PGM or PPM file."""

    parts: Mapping[str, NDArray[np.uint8]] = field(repr=False)

    def __call__(self, item: str) -> bytes:
        """The bytes of an image file that has exactly the pixels of a row."""
        part, row = item.split("/")
        pixels = self.parts[part][int(row)]
        kind = b"P6" if pixels.ndim == 3 else b"P5"
        height, width = pixels.shape[:2]
        values: bytes = pixels.tobytes()
        return kind + b" %d %d 255\n" % (width, height) + values


def load_idx(
    path: str,
    *,
    on_bad_image: str,
    label_names: str | Sequence[str] | Mapping[str, str] | None = None,
    splits: Mapping[str, str | None] | None = None,
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    in_chans: int = RGB_CHANNELS,
) -> SampleTable:
    """Load the table of a folder such as MNIST's: `train-images-idx3-ubyte.gz` and its like.

    Args:
        path: The folder.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        label_names: Names of the labels: a list (of 0, 1, ...), a map, or a JSON file of one.
        splits: Parts (`train`, `t10k`) to "train", "val" or "test"; None leaves one out. Empty:
            they are not used.
        group_by: A regular expression over the item's name, `train/00000012`.
        names: Set of known class names whose spelling is used.
        rename: Class names to other class names.
        min_classes: As in the table.
        value_range: Has no effect: the images have 8 bits.
        in_chans: Channels that the network takes.

    Raises:
        DataError: If a file is damaged or missing, or the counts of images and labels differ.
    """
    root = existing_path(path)
    found = _parts(root)
    notes = ReadingNotes()
    pixels = {part: _images(images) for part, (images, _) in found.items()}
    known = {part: "test" for part in found if part.lower().endswith(_TEST_PART)}
    # An empty map says that parts are no splits, so nothing is added to it.
    given = {**known, **splits} if splits else (splits if splits is not None else known or None)
    counts = {part: len(values) for part, values in pixels.items()}
    split_of = splits_of_parts(counts, given, path, notes)
    pixels = {part: pixels[part] for part in split_of}
    rows: dict[str, list[str]] = {}
    for part in split_of:
        labels = _labels(found[part][1])
        if len(labels) != len(pixels[part]):
            raise DataError(
                f"{found[part][0].name} has {len(pixels[part])} images, "
                f"{found[part][1].name} {len(labels)} labels",
                "as many of the one as of the other",
                "fetch both once more",
            )
        rows[part] = [str(label) for label in labels.tolist()]
    named = read_label_names(root, label_names, {label for part in rows.values() for label in part})
    spell = spelling(names, rename)
    images = [
        LabelledImage(item, spell(named.get(label, label)), split_of[part])
        for part in sorted(rows)
        for item, label in zip(row_names(part, len(rows[part])), rows[part], strict=True)
    ]
    groups, group_notes = group_images(images, group_by, {})
    notes.extend(group_notes)
    read = IdxReader(pixels)
    return table_of_rows(
        images,
        groups,
        read,
        scan_name=_scan_name(read, in_chans),
        on_bad_image=on_bad_image,
        in_chans=in_chans,
        name=root.name,
        notes=notes,
        source=str(root),
        min_classes=min_classes,
        value_range=value_range,
    )


def _parts(root: Path) -> dict[str, tuple[Path, Path]]:
    """The files of images and of labels of each part, by the part's name."""
    if not root.is_dir():
        raise DataError(f"data.path={root}: a file", "the folder of the files of images and labels")
    found: dict[str, tuple[Path, Path]] = {}
    for file in sorted(root.iterdir()):
        match = IDX_IMAGES.fullmatch(file.name)
        if match is None:
            continue
        part = match["part"] or "all"
        labels = _labels_of(file, match, root)
        if part in found:
            raise DataError(
                f"{root} has two files of images of {part}: {found[part][0].name} and {file.name}",
                "one of each part",
                "put one of them elsewhere",
            )
        found[part] = file, labels
    if not found:
        raise DataError(
            f"data.path={root}: no file of images in the IDX format",
            "files such as train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz",
        )
    return found


def _labels_of(file: Path, match: "re.Match[str]", root: Path) -> Path:
    wanted = re.compile(
        re.escape(match["lead"]) + r"labels[.-]idx1(?:-ubyte)?(?:\.gz)?", re.IGNORECASE
    )
    able = sorted(other for other in root.iterdir() if wanted.fullmatch(other.name))
    if not able:
        raise DataError(
            f"{file.name} has no file of labels beside it",
            f"{match['lead']}labels-idx1-ubyte, gzipped or not, in the same folder",
        )
    return able[0]


def _images(file: Path) -> NDArray[np.uint8]:
    """`(N, H, W)` or `(N, H, W, 3)`, 8 bits."""
    array = read_idx(file)
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    is_image = array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == RGB_CHANNELS)
    if array.dtype != np.uint8 or not is_image or 0 in array.shape[1:]:
        raise DataError(
            f"{file}: {' x '.join(map(str, array.shape))} values of type {array.dtype}",
            "N x height x width grey values of 8 bits, or N x height x width x 3",
        )
    return array.astype(np.uint8, copy=False)


def _labels(file: Path) -> NDArray[np.int64]:
    array = read_idx(file)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{file}: {' x '.join(map(str, array.shape))} values of type {array.dtype}",
            "one whole number an image",
        )
    return array.astype(np.int64)


def _scan_name(read: IdxReader, in_chans: int) -> str:
    """Under which the scan is kept: by all pixels."""
    digest = hashlib.sha256(f"{SCAN_VERSION}\0idx\0{in_chans}".encode())
    for part in sorted(read.parts):
        digest.update(f"\0{part}\0{read.parts[part].shape}".encode())
        digest.update(np.ascontiguousarray(read.parts[part]).data)
    return f"idx-{digest.hexdigest()[:32]}"
