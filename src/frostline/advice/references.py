"""Reference points of the similarity axis: sets at hand, measured with each packaged backbone.

    python -m experiments.tools.references PHOTOGRAPHS SYMBOLS [BACKBONE ...]

PHOTOGRAPHS and SYMBOLS are folders made by experiments/photographs.py and experiments/symbols.py;
the built-in leaves are drawn here. Writes src/strategies/references.json.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from frostline.advice.quadrants import Reference
from frostline.commands.arguments import command_parser, reported_errors
from frostline.data.sample_table import SampleTable
from frostline.errors import FrostlineError

FILE = Path(__file__).with_name("references.json")
OWN_RULER = "tf_efficientnet_lite0"
BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")


@cache
def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return kept


def references_for(backbone: str, weights_digest: str) -> tuple[tuple[Reference, ...], str]:
    """The reference points for a backbone, and what to say where they are another extractor's.

    Args:
        backbone: Its name.
        weights_digest: Digest of its weights.

    Returns:
        The references, and a sentence that is empty if they were measured with these very weights.
    """
    kept = _kept()["backbones"]
    name = next((name for name in kept if kept[name]["weights_digest"] == weights_digest), None)
    caveat = ""
    if name is None:
        name = OWN_RULER
        caveat = (
            f"the reference points were measured with {name} and its own weights, not with "
            f"{backbone}: another extractor is sure of itself in another way, so read the place "
            "on the axis as a guess"
        )
    return tuple(Reference(**entry) for entry in kept[name]["sets"]), caveat


def _tables(photographs: str, symbols: str) -> Iterator[tuple[str, str, SampleTable]]:
    from dataclasses import replace

    from PIL import ImageOps

    from frostline.data.sources.folder import load_folder
    from frostline.data.sources.leaves import load_leaves

    photos = load_folder(photographs, on_bad_image="skip")
    yield "photographs", "similar", photos
    open_photo = photos.open_image
    grey = replace(photos, open_image=lambda item: open_photo(item).convert("L").convert("RGB"))
    yield "photographs in grey", "between", grey
    negative = replace(photos, open_image=lambda item: ImageOps.invert(open_photo(item)))
    yield "photographs as negatives", "between", negative
    for variant in ("color", "grayscale", "segmented"):
        table = load_leaves(
            n_images=240,
            size_px=128,
            n_species=2,
            photos_per_leaf=2,
            variant=variant,
            background="lab",
            imbalance=1.0,
            shortcut=0.0,
            leak=0.0,
            draw_seed=0,
        )
        yield f"drawn leaves, {variant}", "different", table
    yield "drawn symbols", "different", load_folder(symbols, on_bad_image="skip")


def measure_references(photographs: str, symbols: str, backbone: str) -> dict[str, Any]:
    """Measure all sets with one backbone.

    Returns:
        `weights_digest`, `image_size_px` and `sets`, plain values for `references.json`.
    """
    import numpy as np

    from frostline.advice.measure import measure

    sets = []
    first = None
    for name, kind, table in _tables(photographs, symbols):
        rows = np.arange(len(table))
        found = measure(
            table, rows, backbone=backbone, weights="pretrained", image_size=None, seed=0
        )
        first = first or found
        known = found.familiarity
        if known is None:
            raise FrostlineError(f"{backbone} cannot be a ruler: {found.why_not}")
        values = (known.confidence, known.agreement, known.entropy)
        confidence, agreement, entropy = (round(value, 4) for value in values)
        sets.append(
            {
                "name": name,
                "kind": kind,
                "confidence": confidence,
                "agreement": agreement,
                "entropy": entropy,
                "images": found.sampled,
            }
        )
        print(f"{backbone:24} {name:26} confidence {confidence:.3f}  agreement {agreement:.3f}")
    assert first is not None
    return {
        "weights_digest": first.weights_digest,
        "image_size_px": first.image_size_px,
        "sets": sets,
    }


def _write(kept: dict[str, Any]) -> None:
    kept["made_by"] = "python -m experiments.tools.references PHOTOGRAPHS SYMBOLS"
    FILE.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """The command: measures and writes the file anew for the backbones named."""
    parser = command_parser("frostline.advice.references", __doc__)
    parser.add_argument("photographs", help="folder made by experiments/photographs.py")
    parser.add_argument("symbols", help="folder made by experiments/symbols.py")
    parser.add_argument("backbones", nargs="*", default=BACKBONES, help="default: the packaged")
    given = parser.parse_args()
    kept = _kept() if FILE.is_file() else {"backbones": {}}
    with reported_errors():
        for backbone in given.backbones:
            kept["backbones"][backbone] = measure_references(
                given.photographs, given.symbols, backbone
            )
            _write(kept)


if __name__ == "__main__":
    main()
