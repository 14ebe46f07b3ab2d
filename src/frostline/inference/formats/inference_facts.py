"""What `inference.json` of an export says: classes, and each step from a file to probabilities."""

import json
from importlib.metadata import version
from typing import Any

from frostline.config.data_settings import RGB_CHANNELS
from frostline.data.decode import MAX_PIXELS, WHITE
from frostline.data.deep_pixels import ValueRange
from frostline.data.geometry import MAX_RESIZED_PX, Geometry
from frostline.inference.portable.pass_order import TALL_RULE, installed_starts_tall_vertically
from frostline.inference.rebuild import Rebuilt

# Libraries whose versions can change a pixel or a digit.
_LIBRARIES = ("pillow", "numpy", "torch", "timm")


def describe(rebuilt: Rebuilt, *, normalised_inside: bool, resized_inside: bool) -> dict[str, Any]:
    """Describe preprocessing, classes and origin as plain values: metadata of every format.

    Args:
        rebuilt: The run.
        normalised_inside: Whether the exported model normalises by itself.
        resized_inside: Whether it also resizes and crops.
    """
    spec, geometry = rebuilt.backbone.input, rebuilt.geometry
    record = rebuilt.record
    resizes, normalises = _where(resized_inside), _where(normalised_inside)
    return {
        "run": rebuilt.name,
        "run_id": record.run_id if record else "",
        "backbone": rebuilt.backbone.name,
        "classes": list(rebuilt.classes),
        "preprocessing": {
            "colour": _colour(geometry.in_chans),
            "in_chans": geometry.in_chans,
            **_sides(geometry),
            "crop_pct": geometry.crop_pct,
            "crop_mode": geometry.crop_mode,
            "interpolation": geometry.interpolation,
            "mean": list(spec.mean),
            "std": list(spec.std),
            "steps": [
                {
                    "step": "decode",
                    "library": "Pillow",
                    "frame": 0,
                    "max_pixels": MAX_PIXELS,
                },
                {
                    "step": "orient",
                    "by": "the EXIF orientation, if it can be read",
                },
                *_to_channels(rebuilt),
                _resize(geometry) | {"where": resizes},
                {
                    "step": "crop",
                    **_sides(geometry),
                    **_start(geometry),
                    "fill": list(geometry.border)
                    if geometry.crop_mode == "border"
                    else [0] * geometry.in_chans,
                    "where": resizes,
                },
                {
                    "step": "normalise",
                    "formula": "(value / 255 - mean) / std",
                    "mean": list(spec.mean),
                    "std": list(spec.std),
                    "where": normalises,
                },
            ],
        },
        "output": {
            "probabilities": "softmax of the logits / temperature, in float32",
            "temperature": 1.0,
        },
        "made_with": {name: version(name) for name in _LIBRARIES},
    }


def as_texts(facts: dict[str, Any]) -> dict[str, str]:
    """The facts as texts, for formats whose metadata are texts."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in facts.items()
    }


def _sides(geometry: Geometry) -> dict[str, int]:
    """`size_px` of a square; `height_px` and `width_px` of a rectangle."""
    height, width = geometry.shape
    if height == width:
        return {"size_px": height}
    return {"height_px": height, "width_px": width}


def _start(geometry: Geometry) -> dict[str, str]:
    """Where the crop begins in the resized image."""
    across, down = ("size_px",) * 2 if geometry.width_px is None else ("width_px", "height_px")
    return {
        "left": f"(width - {across}) / 2, rounded half to even",
        "top": f"(height - {down}) / 2, rounded half to even",
    }


def _targets(geometry: Geometry) -> dict[str, str]:
    """What is resized to what, for each `crop_mode`."""
    scaled, across = geometry.scaled
    if across == scaled:
        return {
            "center": f"the shorter side to {scaled}, the other in proportion, rounded down",
            "squash": f"both sides to {scaled}",
            "border": f"the longer side to {scaled}, the other in proportion, rounded half to "
            "even, at least 1",
        }
    ratios = f"width / {across} and height / {scaled}"
    return {
        "center": f"both sides divided by the smaller of {ratios}, rounded half to even",
        "squash": f"height to {scaled}, width to {across}",
        "border": f"both sides divided by the larger of {ratios}, rounded half to even, at least 1",
    }


def _resize(geometry: Geometry) -> dict[str, Any]:
    scaled, across = geometry.scaled
    targets = _targets(geometry)
    sides = (
        {"scaled_px": scaled}
        if geometry.width_px is None
        else {"scaled_height_px": scaled, "scaled_width_px": across}
    )
    return {
        "step": "resize",
        "library": "Pillow",
        "filter": geometry.interpolation,
        "antialias": True,
        "crop_pct": geometry.crop_pct,
        "crop_mode": geometry.crop_mode,
        **sides,
        "target": targets.get(geometry.crop_mode, targets["center"]),
        "passes": "horizontal, then vertical; each rounds to 8 bits",
        "vertical_pass_first_if": TALL_RULE if installed_starts_tall_vertically() else None,
        "skipped": "if the image has the target's size",
        "max_pixels": MAX_RESIZED_PX,
        "beyond": "the part that the crop keeps is resized alone, as Pillow's `box` (center only)",
    }


def _colour(in_chans: int) -> str:
    if in_chans == RGB_CHANNELS:
        return "RGB"
    return "grey" if in_chans == 1 else f"{in_chans} channels, as they are in the file"


def _to_channels(rebuilt: Rebuilt) -> list[dict[str, Any]]:
    """The steps from what is decoded to the channels of the network, of 8 bits."""
    in_chans, deep = rebuilt.geometry.in_chans, _deep_grey(rebuilt.value_range)
    if in_chans not in {1, RGB_CHANNELS}:
        return [{"step": "to_channels", "in_chans": in_chans, **deep}]
    steps = [
        {
            "step": "to_rgb",
            "transparency_on": list(WHITE),
            "transparency_in": "alpha channels, palettes, and single transparent colours",
            **deep,
            "others": "by Pillow's convert('RGB'), without colour profiles",
        }
    ]
    if in_chans == 1:
        steps.append(
            {
                "step": "to_grey",
                "formula": "(19595 red + 38470 green + 7471 blue + 32768) // 65536",
                "library": "Pillow's convert('L')",
            }
        )
    return steps


def _deep_grey(value_range: ValueRange | None) -> dict[str, Any]:
    """How grey images of more than 8 bits become 8 bits."""
    if value_range is None:
        return {"grey_of_16_bit": {"divided_by": 257, "rounding": "half to even"}}
    low, high = value_range
    return {
        "value_range": [low, high],
        "grey_of_more_than_8_bits": {
            "formula": f"255 * (value - {low:g}) / ({high:g} - {low:g}), cut off at 0 and 255",
            "rounding": "half to even",
        },
    }


def _where(inside: bool) -> str:
    return "in the model" if inside else "before the model"
