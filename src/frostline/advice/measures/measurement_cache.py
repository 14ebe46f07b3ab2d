"""Measurements stored on disk, so that equal data, split, backbone and seed are measured once."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.advice.measures.measurement import Measured, measure, measured_from
from frostline.config.image_size import Sides
from frostline.config.versions import MEASURES_VERSION
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.data.sample_table import SampleTable
from frostline.plugins.own_backbones import with_code

log = logging.getLogger(__name__)


def cached_measure(
    table: SampleTable,
    rows: NDArray[np.int64],
    *,
    backbone: str,
    weights: str,
    image_size: Sides | None,
    seed: int,
    on_progress: Callable[[str], None],
    weights_key: str | None = None,
    weights_partial: bool = False,
) -> Measured:
    """Return the result of `measure`, from the cache if it is there."""
    from frostline.backbones.weights import find_weights

    source = find_weights([backbone], weights)[backbone]
    items = hashlib.sha256("\0".join(table.items[row] for row in rows.tolist()).encode())
    parts = (
        table.fingerprint,
        items.hexdigest(),
        with_code(backbone),
        source.digest or source.where,
        str(image_size),
        str(seed),
        f"measures {MEASURES_VERSION}",
        *([f"{weights_key} {weights_partial}"] if weights_key or weights_partial else []),
    )
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    file = cache_folder("strategies") / f"{key}.json"
    known = _read(file)
    if known is not None:
        return known
    measured = measure(
        table,
        rows,
        backbone=backbone,
        weights=weights,
        weights_key=weights_key,
        weights_partial=weights_partial,
        image_size=image_size,
        seed=seed,
        on_progress=on_progress,
    )
    keep_sealed(file, json.dumps(measured.plain()), what="the measures of the data")
    return measured


def _read(file: Path) -> Measured | None:
    """Read a kept measurement; None if there is none, or the file is damaged."""
    text = kept_text(file)
    if text is None:
        return None
    try:
        return measured_from(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("damaged measures are made again (%s): %s", file.name, error)
        return None
