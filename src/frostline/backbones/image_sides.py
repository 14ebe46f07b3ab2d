"""Which sides of an image a backbone takes, and why it does not take others."""

from typing import Any

from torch import nn

from frostline.backbones.own_registration import where_defined
from frostline.backbones.spec import InputSpec
from frostline.backbones.weights_hub import timm_settings
from frostline.config.image_size import size_word
from frostline.errors import BackboneError

# Their code takes the square root of the number of patches for the height and the width. ConViT
# runs so on rectangles with a square number of patches, and gives each a wrong place.
_SQUARES_ONLY = ("convit", "nest")


def check_sides(name: str, spec: InputSpec) -> None:
    """Refuse rectangles on a backbone that takes every image for a square.

    Raises:
        BackboneError: If it does, and the image is none.
    """
    if spec.width_px is not None and name.startswith(_SQUARES_ONLY):
        raise wrong_size(name, spec, TypeError())


def check_patches(name: str, model: nn.Module, spec: InputSpec) -> None:
    """Refuse rectangles whose last rows or columns would be left out as no whole patch.

    Raises:
        BackboneError: If a side is no multiple of the patches' one.
    """
    if spec.width_px is None or not spec.fixed_size:
        return
    patch = _patch_of(model)
    sides = spec.shape[1:]
    if patch is None or all(side % one == 0 for side, one in zip(sides, patch, strict=True)):
        return
    near = [max(one, round(side / one) * one) for side, one in zip(sides, patch, strict=True)]
    raise BackboneError(
        given=f"{size_word(spec.sides)}: backbone={name} divides images into patches of "
        f"{patch[0]} x {patch[1]} px",
        allowed=f"height in multiples of {patch[0]}, width in multiples of {patch[1]}",
        todo=f"the nearest: {size_word((near[0], near[1]))}",
    )


def left_out(name: str, model: nn.Module, spec: InputSpec) -> str | None:
    """What a network of patches does not see of a square, in words; None if it sees all of it.

    The weights' own size may leave pixels out as well, so that a square is not refused for it.
    """
    patch = _patch_of(model) if spec.fixed_size else None
    rests = [] if patch is None else [s % p for s, p in zip(spec.shape[1:], patch, strict=True)]
    if patch is None or not any(rests):
        return None
    return (
        f"{name} divides images of {spec.shape[1]} px into patches of {patch[0]}: the last "
        f"{rests[0]} rows and {rests[1]} columns are not seen"
    )


def _patch_of(model: nn.Module) -> tuple[int, int] | None:
    embed = getattr(model, "patch_embed", None) or getattr(model, "stem", None)
    given: Any = getattr(embed, "patch_size", None)
    if isinstance(given, int):
        return given, given
    return tuple(given) if isinstance(given, tuple) and len(given) == 2 else None


def wrong_size(name: str, spec: InputSpec, error: Exception) -> BackboneError:
    """The error of a backbone that cannot be built for a size, or does not run on it."""
    _, height, width = timm_settings(name).input_size
    own = str(height) if height == width else f"{height} x {width}"
    if spec.shape[1:] == (height, width):
        return BackboneError(
            given=f"backbone={name}{where_defined(name)} does not run on one image of {own} px: "
            f"{reason_of(error)}",
            todo="choose another backbone",
        )
    if spec.width_px is not None and isinstance(error, TypeError):
        return BackboneError(
            given=f"{size_word(spec.sides)}: backbone={name} is written for squares only",
            allowed=f"one side: image_size={height} (the weights' own: image_size=null)",
            todo="give one side, or leave this backbone out",
        )
    return BackboneError(
        given=f"{size_word(spec.sides)}: backbone={name} does not take it ({reason_of(error)})",
        allowed=f"{own} px (the weights' own: image_size=null), or a size the model divides evenly",
        todo="set image_size, or leave this backbone out",
    )


def reason_of(error: Exception) -> str:
    """The first line of what timm says."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
