"""How well the background alone predicts the class, in the data that a cell is trained on."""

from dataclasses import replace

import numpy as np

from frostline.config.schema import Settings
from frostline.data.checks.checkup import THUMBNAIL
from frostline.data.checks.shortcuts import Probe, probe_shortcuts
from frostline.data.load import load_table
from frostline.data.pixels import open_pixels


def border_probe(settings: Settings) -> Probe | None:
    """Measure how well eight border pixels predict the class in training and validation images.

    Args:
        settings: Of a run; images that the data set marks as test are left out.

    Returns:
        None if there are too few groups to cross-validate.
    """
    table = load_table(settings.data)
    given = table.given_split
    rows = np.arange(len(table)) if given is None else np.flatnonzero(given != "test")
    thumbnails = open_pixels(table, THUMBNAIL, memory_gib=1.0).take(rows)
    subset = replace(
        table,
        items=tuple(table.items[row] for row in rows.tolist()),
        labels=table.labels[rows],
        groups=table.groups[rows],
        given_split=None,
    )
    groups = np.unique(subset.groups, return_inverse=True)[1].astype(np.int64)
    probes = probe_shortcuts(subset, thumbnails, groups, seed=0)
    return next((probe for probe in probes if "border" in probe.evidence), None)
