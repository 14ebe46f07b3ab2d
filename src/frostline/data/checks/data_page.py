"""A page about a data set, with sample images of every class: data.html."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PIL import Image

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.channels import with_channels
from frostline.data.checks.checkup import Checkup
from frostline.data.checks.shortcuts import Probe
from frostline.data.sample_table import SampleTable
from frostline.invocation import as_called

if TYPE_CHECKING:
    from frostline.reporting.tables import Table, Value

N_SAMPLES = 6
SIDE_PX = 96
MAX_CLASSES = 120


@dataclass(frozen=True)
class Sample:
    """A small picture of an item, as a data URL."""

    item: str
    address: str


@dataclass(frozen=True)
class ClassRow:
    """A class with its number of images, also as a share of the largest class, and samples."""

    name: str
    n_images: int
    share: float
    samples: tuple[Sample, ...]


def data_page(checkup: Checkup) -> str:
    """Render the page as self-contained HTML text."""
    # It imports pandas, which checks without a page do not need.
    from frostline.reporting.render import render_html

    table = checkup.table
    return render_html(
        "data.html.jinja",
        package="frostline.data.checks",
        title=f"Data check of {table.name}",
        n_images=len(table),
        n_classes=len(table.classes),
        n_groups=table.profile()["groups"],
        source=table.source,
        fingerprint=table.fingerprint[:16],
        findings=[replace(one, text=as_called(one.text)) for one in checkup.findings],
        classes=_class_rows(table),
        probes=_probes_table(checkup.probes),
    )


def _probes_table(probes: Sequence[Probe]) -> "Table":
    """How well each kind of evidence alone predicts the class."""
    from frostline.reporting.tables import Column, Table

    columns = [
        Column("evidence"),
        Column("macro accuracy, %", "percent"),
        Column("± points", "percent"),
        Column("guessing, %", "percent"),
    ]
    rows: list[list[Value]] = [
        [one.evidence, one.acc_macro, one.margin, one.chance] for one in probes
    ]
    return Table("probes", "The class, predicted from one kind of evidence alone", columns, rows)


def _class_rows(table: SampleTable) -> list[ClassRow]:
    counts = table.counts()
    largest = max(counts.values())
    items_of_class: dict[int, list[str]] = {}
    for item, label in zip(table.items, table.labels.tolist(), strict=True):
        items_of_class.setdefault(label, []).append(item)
    rows = []
    for label, (name, count) in list(enumerate(counts.items()))[:MAX_CLASSES]:
        items = items_of_class[label]
        chosen = items[:: max(1, len(items) // N_SAMPLES)][:N_SAMPLES]
        samples = tuple(Sample(item, thumbnail(table, item)) for item in chosen)
        rows.append(ClassRow(name, count, count / largest, samples))
    return rows


def thumbnail(table: SampleTable, item: str) -> str:
    """Return a small JPEG of an image as a data URL."""
    image = with_channels(table.open_image(item), RGB_CHANNELS)
    assert isinstance(image, Image.Image)
    image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
