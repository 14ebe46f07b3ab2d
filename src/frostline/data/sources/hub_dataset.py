"""A data set of the Hugging Face hub, or one in that format on this disk."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frostline.cores import usable_cores
from frostline.data.cache import cache_folder
from frostline.data.class_names import spelling
from frostline.data.decode import decode_bytes
from frostline.data.groups import group_images
from frostline.data.layout import SPLIT_FOLDERS, LabelledImage, check_class_names
from frostline.data.progress_bar import show_progress
from frostline.data.sample_table import BadImage, SampleTable, fingerprint_of, name_some
from frostline.data.scan import (
    SCAN_VERSION,
    InspectedImage,
    facts_from,
    inspect_image,
    report_unreadable,
)
from frostline.data.source_kind import is_saved_dataset
from frostline.data.sources.labelled_files import sorted_classes
from frostline.errors import DataError
from frostline.files import replacing


@dataclass(frozen=True)
class HubOpener:
    """Opens images of a loaded data set by `split/row`."""

    parts: Mapping[str, Any] = field(repr=False)
    column: str

    def __call__(self, item: str) -> Image.Image:
        """An upright RGB image on white."""
        return decode_bytes(self.read(item))

    def read(self, item: str) -> bytes:
        """The bytes of an image file."""
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
    group_by: str | None = None,
    names: str | None = None,
    rename: Mapping[str, str] | None = None,
) -> SampleTable:
    """The table of a data set in the format of the `datasets` library.

    Args:
        path: A name on the hub such as `mohanty/PlantVillage`, or a folder here: one that
            `save_to_disk` wrote, or one of parquet files or images.
        on_bad_image: "error": unreadable images end the run; "skip": they are left out.
        config: The data set's configuration, where it has several.
        revision: A commit on the hub; None: the newest.
        image_column: None: the only column of images.
        label_column: None: the only column of class labels, or the one called `label`.
        group_by: A column such as `leaf_id`, or a regular expression over the file's name.
        names: Known class names whose spelling is taken over, such as "plantvillage".
        rename: Class names to other class names.

    Raises:
        DataError: If the library is missing, the data set cannot be had, or a column is not there.
    """
    parts = _load(path, config, revision)
    first = next(iter(parts.values()))
    image = _find(first, "image_column", image_column, "Image")
    label = _find(first, "label_column", label_column, "ClassLabel")
    from datasets import Image as ImageFeature  # type: ignore[import-untyped]

    parts = {
        name: part.cast_column(image, ImageFeature(decode=False)) for name, part in parts.items()
    }
    opener = HubOpener(parts, image)
    several = len(parts) > 1
    spell = spelling(names, rename)
    placed, plain = [], [name for name in first.column_names if name != image]
    columns: dict[str, dict[str, str]] = {name: {} for name in plain}
    for split, part in parts.items():
        texts = _texts(part, label)
        items = [f"{split}/{row:08d}" for row in range(len(part))]
        side = SPLIT_FOLDERS[split.casefold()] if several else ""
        placed += [LabelledImage(i, spell(t), side) for i, t in zip(items, texts, strict=True)]
        for name in plain:
            values = (str(value) if value is not None else "" for value in part[name])
            columns[name] |= dict(zip(items, values, strict=True))
    groups, notes = group_images(placed, group_by, columns)
    return _table(path, placed, opener, groups, notes, on_bad_image=on_bad_image)


def _table(
    path: str,
    placed: list[LabelledImage],
    opener: HubOpener,
    groups: dict[str, str],
    notes: list[str],
    *,
    on_bad_image: str,
) -> SampleTable:
    placed = sorted(placed, key=lambda one: one.path)
    seen = _scan(opener, [one.path for one in placed])
    pairs = list(zip(placed, seen, strict=True))
    bad = tuple(BadImage(one.path, facts.reason) for one, facts in pairs if facts.reason)
    report_unreadable(bad, on_bad_image=on_bad_image, n_files=len(placed))
    good = [(one, facts) for one, facts in pairs if not facts.reason]
    classes = sorted_classes({one.label for one in placed})
    check_class_names(classes)
    index = {label: k for k, label in enumerate(classes)}
    items = tuple(one.path for one, _ in good)
    labels = np.array([index[one.label] for one, _ in good], dtype=np.int64)
    names = np.array([groups.get(item, item) for item in items], dtype=np.str_)
    given = np.array([one.split for one, _ in good]) if any(one.split for one in placed) else None
    digests = [facts.digest for _, facts in good]
    return SampleTable(
        name=Path(path).name,
        items=items,
        labels=labels,
        groups=names,
        given_split=given,
        classes=classes,
        fingerprint=fingerprint_of(items, labels, names, given, classes, digests),
        open_image=opener,
        skipped=bad,
        notes=tuple(notes),
        facts=facts_from([one for _, one in good]),
        source=path,
    )


def _load(path: str, config: str | None, revision: str | None) -> dict[str, Any]:
    """Split name to data set; one split alone is called `all`."""
    try:
        import datasets
    except ModuleNotFoundError:
        raise DataError(
            "data=hub needs the package datasets", todo="install it: pip install datasets"
        ) from None
    local = Path(path).expanduser()
    try:
        if is_saved_dataset(local):
            loaded = datasets.load_from_disk(str(local))
        else:
            where = str(local) if local.exists() else path
            loaded = datasets.load_dataset(where, config, revision=revision)
    except Exception as error:
        # The library raises a dozen kinds; each is told as what it is to the person.
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
            f"splits of {path} that are not known: {name_some(unknown)}", "train, validation, test"
        )
    return dict(loaded)


def _find(part: Any, key: str, given: str | None, kind: str) -> str:
    """The column asked for, else the only one of a kind of feature."""
    if given is not None:
        if given in part.column_names:
            return given
        raise DataError(
            f"data.{key}={given}: there is no such column", name_some(part.column_names, 40)
        )
    fitting = [name for name, feature in part.features.items() if type(feature).__name__ == kind]
    if not fitting and kind == "ClassLabel" and "label" in part.column_names:
        return "label"
    if len(fitting) != 1:
        raise DataError(
            f"{len(fitting)} columns are of the kind {kind}: {name_some(fitting)}",
            name_some(part.column_names, 40),
            f"name it with data.{key}=COLUMN",
        )
    return str(fitting[0])


def _texts(part: Any, label: str) -> list[str]:
    """Labels as text; numbers of a ClassLabel by their names."""
    feature, values = part.features[label], part[label]
    empty = [row for row, value in enumerate(values) if value is None or value == -1]
    if empty:
        raise DataError(f"{len(empty)} rows have no {label}, such as row {empty[0]}")
    if type(feature).__name__ == "ClassLabel":
        return [str(feature.int2str(int(value))) for value in values]
    return [str(value) for value in values]


def _scan(opener: HubOpener, items: list[str]) -> list[InspectedImage]:
    """Decode every image once; remembered by the data set's own fingerprint."""
    prints = "\0".join(part._fingerprint for part in opener.parts.values())
    key = hashlib.sha256(f"{SCAN_VERSION}\0{opener.column}\0{prints}".encode()).hexdigest()[:32]
    store = cache_folder("scans") / f"hub-{key}.json"
    try:
        known = [InspectedImage(**one) for one in json.loads(store.read_text())]
        if len(known) == len(items):
            return known
    except (OSError, ValueError, TypeError):
        pass
    seen = []
    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("reading images", len(items)) as advance,
    ):
        for one in pool.map(lambda item: inspect_image(opener.read(item)), items):
            seen.append(one)
            advance(1)
    with replacing(store) as temporary:
        temporary.write_text(json.dumps([one._asdict() for one in seen]))
    return seen
