"""Measure the reference points of the similarity axis with the backbones of packaged weights.

python -m experiments.tools.references PHOTOGRAPHS SYMBOLS [BACKBONE ...]

PHOTOGRAPHS and SYMBOLS are folders made by experiments/photographs.py and experiments/symbols.py;
the built-in leaves are drawn here. Writes src/frostline/advice/references.json.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import ImageOps

from frostline.advice.measures.measurement import measure
from frostline.advice.similarity import REFERENCES_FILE
from frostline.commands.arguments import command_parser, reported_errors
from frostline.data.sample_table import SampleTable
from frostline.data.sources.folder import load_folder
from frostline.data.sources.leaves import load_leaves
from frostline.errors import FrostlineError

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
LEAF_VARIANTS = ("color", "grayscale", "segmented")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the named backbones again and rewrite their entries in the file."""
    parser = command_parser("experiments.tools.references", __doc__)
    parser.add_argument("photographs", help="folder made by experiments/photographs.py")
    parser.add_argument("symbols", help="folder made by experiments/symbols.py")
    parser.add_argument("backbones", nargs="*", default=BACKBONES, help="default: the packaged")
    given = parser.parse_args(arguments)
    content = (
        json.loads(REFERENCES_FILE.read_text("utf-8"))
        if REFERENCES_FILE.is_file()
        else {"backbones": {}}
    )
    content["made_by"] = "python -m experiments.tools.references PHOTOGRAPHS SYMBOLS"
    with reported_errors():
        for backbone in given.backbones:
            entry = measure_references(given.photographs, given.symbols, backbone)
            content["backbones"][backbone] = entry
            REFERENCES_FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def measure_references(photographs: str, symbols: str, backbone: str) -> dict[str, Any]:
    """Measure all reference sets with one backbone.

    Returns:
        `weights_digest`, `image_size_px` and `sets`, plain values for `references.json`.
    """
    sets: list[dict[str, Any]] = []
    for name, kind, table in _tables(photographs, symbols):
        measured = measure(
            table,
            np.arange(len(table)),
            backbone=backbone,
            weights="pretrained",
            image_size=None,
            seed=0,
        )
        familiarity = measured.familiarity
        if familiarity is None:
            raise FrostlineError(f"{backbone} cannot be a reference: {measured.why_not}")
        sets.append(
            {
                "name": name,
                "kind": kind,
                "confidence": round(familiarity.confidence, 4),
                "agreement": round(familiarity.agreement, 4),
                "entropy": round(familiarity.entropy, 4),
                "images": measured.sampled,
            }
        )
        print(
            f"{backbone:24} {name:26} confidence {familiarity.confidence:.3f}  "
            f"agreement {familiarity.agreement:.3f}"
        )
    # The weights and the image size are the backbone's own, so any of the sets names them.
    return {
        "weights_digest": measured.weights_digest,
        "image_size_px": measured.image_size_px,
        "sets": sets,
    }


def _tables(photographs: str, symbols: str) -> Iterator[tuple[str, str, SampleTable]]:
    """Name, kind and images of each reference set."""
    photos = load_folder(photographs, on_bad_image="skip")
    yield "photographs", "similar", photos
    open_photo = photos.open_image
    grey = replace(photos, open_image=lambda item: open_photo(item).convert("L").convert("RGB"))
    yield "photographs in grey", "between", grey
    negative = replace(photos, open_image=lambda item: ImageOps.invert(open_photo(item)))
    yield "photographs as negatives", "between", negative
    for variant in LEAF_VARIANTS:
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


if __name__ == "__main__":
    main()
