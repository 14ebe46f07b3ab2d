"""From labelled images that have been read to a table; shared by all sources of image files."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.checked_images import CheckedImages
from frostline.data.layout import LabelledImage, check_class_names
from frostline.data.reading_notes import ReadingNotes
from frostline.data.sample_table import BadImage, ImageFacts, SampleTable, fingerprint_of
from frostline.data.value_range import note_range, range_of, reading_text


def build_table(
    images: Sequence[LabelledImage],
    readable: Sequence[LabelledImage],
    facts: ImageFacts,
    groups: Mapping[str, str],
    *,
    name: str,
    read: Callable[[str], bytes],
    skipped: Sequence[BadImage],
    notes: ReadingNotes,
    source: str,
    min_classes: int = 2,
    value_range: Sequence[float] | str = "auto",
    forget: Callable[[str], object] | None = None,
    in_chans: int = RGB_CHANNELS,
) -> SampleTable:
    """Build the table of the readable images.

    Args:
        images: All images. They define the classes, so that a class whose images are all unreadable
            is reported rather than lost.
        readable: Those that can be read, sorted by path.
        facts: Properties of the readable images, in the same order.
        groups: Path to group; an image that is not in it is its own group.
        name: Short name of the data set.
        read: Function from an item to the bytes of its file; can be pickled.
        skipped: As in the table.
        notes: What the source left out, took over or guessed.
        source: As in the table.
        min_classes: As in the table.
        value_range: `auto`, or what is black and white in images of more than 8 bits.
        forget: As in `CheckedImages`.
        in_chans: Channels that the network takes.

    Raises:
        DataError: If class names look the same to a reader, or the table cannot be trained on.
    """
    classes = sorted_classes({image.label for image in images})
    check_class_names(classes)
    index = {label: k for k, label in enumerate(classes)}
    items = tuple(image.path for image in readable)
    labels = np.array([index[image.label] for image in readable], dtype=np.int64)
    group_names = np.array([groups.get(item, item) for item in items], dtype=np.str_)
    has_splits = any(image.split for image in readable)
    given = np.array([image.split for image in readable]) if has_splits else None
    given_range = None if isinstance(value_range, str) else value_range
    used = range_of(facts, given_range)
    note_range(notes, facts, used, was_given=given_range is not None)
    digests, reading = facts.digests, reading_text(facts, used)
    return SampleTable(
        name=name,
        items=items,
        labels=labels,
        groups=group_names,
        given_split=given,
        classes=classes,
        fingerprint=fingerprint_of(items, labels, group_names, given, classes, digests, reading),
        open_image=CheckedImages(
            read, dict(zip(items, digests, strict=True)), source, used, forget, in_chans
        ),
        skipped=tuple(skipped),
        notes=tuple(notes.sentences),
        lists=notes.lists,
        facts=facts,
        source=source,
        min_classes=min_classes,
        value_range=used,
    )


def sorted_classes(names: set[str]) -> tuple[str, ...]:
    """Sort class names: as numbers if all are numbers ("1" before "01"), else by letters."""
    if all(map(_is_number, names)):
        return tuple(sorted(names, key=lambda name: (int(name), len(name))))
    return tuple(sorted(names))


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()
