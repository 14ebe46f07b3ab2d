"""Into which squares images are cut for a backbone, kept so that timm need not be asked again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from frostline.config.schema import Settings
from frostline.data.cache import cache_folder, keep_sealed, kept_text
from frostline.sweeps.data_check import DataKey, data_key, distinct
from frostline.sweeps.known_depth import code_of_backbones

if TYPE_CHECKING:
    from frostline.data.geometry import Geometry

# Raised when the squares that training takes are others, or are kept in another form.
_VERSION = 1


def squares_of(jobs: Sequence[Settings]) -> dict[DataKey, list["Geometry"]]:
    """What the images of each data set become in the jobs; they are kept for `known_squares`.

    Args:
        jobs: Jobs whose backbones are checked; those of a dry run take no images.
    """
    from frostline.backbones.build import input_spec
    from frostline.data.image_datamodule import geometries_of

    found: dict[str, tuple[Geometry, ...]] = {}
    for s in distinct(jobs, _place):
        spec = input_spec(s.backbone, s.image_size, s.in_chans)
        squares = geometries_of(spec, s.augment.name)
        found[str(_place(s))] = squares
        text = json.dumps([asdict(each) for each in squares])
        if kept_text(_place(s)) != text:
            keep_sealed(_place(s), text, what="what is known of a backbone")
    return _by_data(jobs, found)


def known_squares(jobs: Sequence[Settings]) -> "dict[DataKey, list[Geometry]] | None":
    """As `squares_of`, without timm; None if those of some job are not known yet."""
    from frostline.data.geometry import Geometry

    found: dict[str, tuple[Geometry, ...]] = {}
    for s in distinct(jobs, _place):
        try:
            values = json.loads(kept_text(_place(s)) or "")
            found[str(_place(s))] = tuple(
                Geometry(**{**each, "border": tuple(each["border"])}) for each in values
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return _by_data(jobs, found)


def _by_data(
    jobs: Sequence[Settings], found: "dict[str, tuple[Geometry, ...]]"
) -> "dict[DataKey, list[Geometry]]":
    squares: dict[DataKey, list[Geometry]] = {}
    for s in jobs:
        if not s.dry_run:
            own = squares.setdefault(data_key(s), [])
            own += [each for each in found[str(_place(s))] if each not in own]
    return squares


def _place(settings: Settings) -> Path:
    s = settings
    asked = [_VERSION, version("timm"), code_of_backbones(), s.own_code]
    asked += [s.backbone, s.image_size, s.in_chans, s.augment.name]
    digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    return cache_folder("backbones") / f"squares-{digest[:32]}.json"
