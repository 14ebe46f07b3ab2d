"""Data sets of several parts with numbered rows, `train/00000012`: what hub and IDX share."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from frostline.cores import usable_cores
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.data.layout import LabelledImage
from frostline.data.progress_bar import show_progress
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import BadImage, SampleTable
from frostline.data.scan import InspectedImage, facts_from, inspect_image, report_unreadable
from frostline.data.sources.build_table import build_table
from frostline.data.split_names import split_of_each


def row_names(part: str, n_rows: int) -> list[str]:
    """The items of a part, in order."""
    return [f"{part}/{row:08d}" for row in range(n_rows)]


def splits_of_parts(
    n_rows: Mapping[str, int],
    given: Mapping[str, str | None] | None,
    path: str,
    notes: ReadingNotes,
) -> dict[str, str]:
    """The split of each part that is used; empty where the data set has one part only.

    Args:
        n_rows: Part to its number of rows.
        given: `data.splits`; empty: parts are no splits.
        path: Of the data set, for the message.
        notes: Receives what is left out.

    Raises:
        DataError: If it is not plain which split a part is.
    """
    if len(n_rows) == 1 or (given is not None and not given):
        return dict.fromkeys(n_rows, "")
    found = split_of_each(n_rows, given, lambda _: path)
    for name in sorted(name for name, split in found.items() if split is None):
        rows = row_names(name, n_rows[name])
        notes.add(f"data.splits leaves out {len(rows)} rows of '{name}'", "splits", rows)
    return {name: split for name, split in found.items() if split is not None}


def table_of_rows(
    images: Sequence[LabelledImage],
    groups: Mapping[str, str],
    read: Callable[[str], bytes],
    *,
    scan_name: str,
    on_bad_image: str,
    in_chans: int,
    **options: Any,
) -> SampleTable:
    """Decode every row once and build the table of those that can be read.

    Args:
        images: All rows, sorted by path.
        groups: As for `build_table`.
        read: As there.
        scan_name: Under which the results of the scan are kept, one for each content.
        on_bad_image: "error": unreadable images are an error; "skip": they are left out.
        in_chans: As for `build_table`.
        options: Its other ones.

    Raises:
        DataError: If images are unreadable, or the table cannot be trained on.
    """
    inspected = _scan(read, [image.path for image in images], scan_name, in_chans)
    pairs = list(zip(images, inspected, strict=True))
    bad = [BadImage(image.path, one.reason) for image, one in pairs if one.reason]
    report_unreadable(bad, on_bad_image=on_bad_image, n_files=len(images))
    return build_table(
        images,
        [image for image, one in pairs if not one.reason],
        facts_from([one for one in inspected if not one.reason]),
        groups,
        read=read,
        skipped=bad,
        in_chans=in_chans,
        **options,
    )


def _scan(
    read: Callable[[str], bytes], items: Sequence[str], name: str, in_chans: int
) -> list[InspectedImage]:
    store = cache_folder("scans") / f"{name}.json"
    try:
        stored = [InspectedImage(**record) for record in json.loads(kept_text(store) or "null")]
        if len(stored) == len(items):
            return stored
    except (ValueError, TypeError):
        pass
    inspected = []
    with (
        ThreadPoolExecutor(usable_cores()) as pool,
        show_progress("reading images", len(items)) as advance,
    ):
        for one in pool.map(lambda item: inspect_image(read(item), in_chans), items):
            inspected.append(one)
            advance(1)
    keep_sealed(store, json.dumps([one._asdict() for one in inspected]), what="the scan")
    return inspected
