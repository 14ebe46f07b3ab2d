"""The table that every source returns: the images, their labels and their groups."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.errors import DataError

if TYPE_CHECKING:
    from frostline.data.channels import Picture

SPLIT_NAMES = ("train", "val", "test")


@dataclass(frozen=True)
class BadImage:
    """An image that was left out because it cannot be read."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImageFacts:
    """Properties of the image files, as columns of length N in the table's order.

    `lows` and `highs` are the smallest and largest values of images of more than 8 bits, else 0.
    """

    digests: tuple[str, ...]
    n_bytes: NDArray[np.int64]
    widths_px: NDArray[np.int64]
    heights_px: NDArray[np.int64]
    modes: tuple[str, ...]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> "ImageFacts":
        """Select some rows, in the order of `rows`."""
        selected = rows.tolist()
        return ImageFacts(
            tuple(self.digests[row] for row in selected),
            self.n_bytes[rows],
            self.widths_px[rows],
            self.heights_px[rows],
            tuple(self.modes[row] for row in selected),
            self.lows[rows],
            self.highs[rows],
        )


@dataclass(frozen=True)
class SampleTable:
    """Labelled images, N rows sorted by item.

    Attributes:
        name: Short name for logs and MLflow's experiment.
        items: (N) relative paths, or names of drawings; unique and stable.
        labels: (N) int64, index into `classes`.
        groups: (N) str; images of one group stay in one split. An image without a group is its own.
        given_split: (N) "train", "val" or "test" where the source defines splits, else None.
        classes: Class names, in the order of the labels.
        fingerprint: sha256 over everything above and the bytes of the images.
        open_image: Function from an item to its image, as `image_from` gives it; can be pickled.
        skipped: Images that were left out because they cannot be read.
        notes: Sentences for the user about what the source left out, took over or guessed.
        lists: A few words to all the paths or lines that a note counts.
        facts: Sizes, modes and digests, where the images are files.
        source: Origin of the images: a path, or how they were drawn.
        min_classes: 2, as training needs; 1 where a trained run is judged on the images.
        value_range: What is black and white in images of more than 8 bits; None if there are none.
        uncorrected: The table before a person's corrections, by which splits are made; None if
            there are none.
    """

    name: str
    items: tuple[str, ...]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    given_split: NDArray[np.str_] | None
    classes: tuple[str, ...]
    fingerprint: str
    open_image: Callable[[str], "Picture"]
    skipped: tuple[BadImage, ...] = ()
    notes: tuple[str, ...] = field(default=())
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts: ImageFacts | None = None
    source: str = ""
    min_classes: int = 2
    value_range: tuple[float, float] | None = None
    uncorrected: "SampleTable | None" = None

    def __post_init__(self) -> None:
        columns = (self.items, self.labels, self.groups, self.given_split, self.classes)
        check_columns(*columns, min_classes=self.min_classes)

    def __len__(self) -> int:
        return len(self.items)

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, in class order."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def profile(self) -> dict[str, Any]:
        """Return what is recorded with a run, as plain numbers and text."""
        return {
            "name": self.name,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "images": len(self),
            "groups": len(np.unique(self.groups)),
            "counts": self.counts(),
            "skipped": len(self.skipped),
            "notes": list(self.notes),
            "lists": {
                **{what: list(items) for what, items in self.lists.items()},
                **(
                    {"unreadable": [f"{bad.path}: {bad.reason}" for bad in self.skipped]}
                    if self.skipped
                    else {}
                ),
            },
            **({} if self.value_range is None else {"value_range": list(self.value_range)}),
        }


def check_columns(
    items: Sequence[str],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    given_split: NDArray[np.str_] | None,
    classes: Sequence[str],
    *,
    min_classes: int = 2,
) -> None:
    """Raise an error if a table cannot be used.

    Raises:
        DataError: If columns differ in length, items repeat, a label is outside 0 .. K-1, a split
            has an unknown name, there is no image or too few classes, or a class has no image.
    """
    n = len(items)
    lengths = {"labels": len(labels), "groups": len(groups)}
    if given_split is not None:
        lengths["given_split"] = len(given_split)
    for column, length in lengths.items():
        if length != n:
            raise DataError(f"{n} images but {length} {column}")
    if n == 0:
        raise DataError("the data set has no image", todo="check the path and the file extensions")
    if len(set(items)) != n:
        repeated = [item for item, count in Counter(items).items() if count > 1]
        raise DataError(f"images listed more than once: {name_some(repeated)}")
    outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(outside):
        raise DataError(
            f"label {labels[outside[0]]} of {items[outside[0]]} is not a class",
            f"0 .. {len(classes) - 1} ({len(classes)} classes)",
        )
    if given_split is not None:
        unknown = sorted(set(np.unique(given_split).tolist()) - set(SPLIT_NAMES))
        if unknown:
            raise DataError(f"unknown split {name_some(unknown)}", ", ".join(SPLIT_NAMES))
    if len(classes) < min_classes:
        raise DataError(
            f"there is only one class: {name_some(classes)}",
            "at least two classes",
            "put the images of each class into its own folder: ROOT/class/image.jpg",
        )
    counts = np.bincount(labels, minlength=len(classes))
    empty = [classes[label] for label in np.flatnonzero(counts == 0).tolist()]
    if empty:
        raise DataError(
            f"no readable image in class {name_some(empty)}",
            todo="add images, or remove the class",
        )


def name_some(names: Iterable[str], limit: int = 10) -> str:
    """List names in quotes: the first `limit`, and the number of the others."""
    listed = list(names)
    shown = ", ".join(f"'{name}'" for name in listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit} more"


def fingerprint_of(
    items: Sequence[str],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    given_split: NDArray[np.str_] | None,
    classes: Sequence[str],
    contents: Sequence[str],
    reading: str = "",
) -> str:
    """Compute the digest of a data set; equal digests mean equal training data.

    Args:
        items: (N) names.
        labels: (N) int64.
        groups: (N) group names.
        given_split: (N) split names, or None.
        classes: Class names.
        contents: (N) digest of the bytes of each image, or one text that defines all drawings.

        reading: How the bytes become pixels, where that is not by each image alone.

    Returns:
        sha256 in hex.
    """
    digest = hashlib.sha256()
    columns: tuple[Iterable[str], ...] = (
        classes,
        items,
        map(str, labels.tolist()),
        groups.tolist(),
        () if given_split is None else given_split.tolist(),
        contents,
        *([[reading]] if reading else []),
    )
    for column in columns:
        # The separators cannot occur in a path, so that columns cannot be confused.
        digest.update("\0".join(column).encode("utf-8", "surrogatepass"))
        digest.update(b"\0\0")
    return digest.hexdigest()
