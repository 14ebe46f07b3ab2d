"""Pillow's resize and the crop as an ONNX graph, so that a file takes an image of any size.

ONNX's own Resize comes close but leaves the order of its passes, and so its rounding, to the
runtime. So the graph computes the weights of Pillow's filter and multiplies by them in Pillow's
order, with Pillow's fixed point in float64, which holds its integers exactly.

Source: Pillow, `src/libImaging/Resample.c`.
"""

import re
from typing import Any

from frostline.data.geometry import MAX_RESIZED_PX, Geometry
from frostline.inference.formats.deployable import ExportError
from frostline.inference.portable.pass_order import installed_starts_tall_vertically

IMAGE = "image"
SQUARES = "squares"
# Half the width of a filter, and the filter's value at |x| = `a` in the text of ONNX.
_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
_FILTER_TEXT = {
    "bilinear": """
        {p}less = Sub (one, {p}a)
        {p}filter = Max ({p}less, zero)""",
    # Keys' cubic with a = -1/2.
    "bicubic": """
        {p}n1 = Mul (one_half_more, {p}a)
        {p}n2 = Sub ({p}n1, two_half_more)
        {p}n3 = Mul ({p}n2, {p}a)
        {p}n4 = Mul ({p}n3, {p}a)
        {p}near = Add ({p}n4, one)
        {p}f1 = Sub ({p}a, five)
        {p}f2 = Mul ({p}f1, {p}a)
        {p}f3 = Add ({p}f2, eight)
        {p}f4 = Mul ({p}f3, {p}a)
        {p}f5 = Sub ({p}f4, four)
        {p}far = Mul ({p}f5, minus_half)
        {p}is_near = Less ({p}a, one)
        {p}is_far = Less ({p}a, two)
        {p}outer = Where ({p}is_far, {p}far, zero)
        {p}filter = Where ({p}is_near, {p}near, {p}outer)""",
}
_NUMBERS = {
    "zero": 0.0, "half": 0.5, "one": 1.0, "two": 2.0, "four": 4.0, "five": 5.0, "eight": 8.0,
    "minus_half": -0.5, "one_half_more": 1.5, "two_half_more": 2.5, "top": 255.0,
    "unit": float(2**22), "half_unit": float(2**21),
}  # fmt: skip
# Weights (S, IN) of one axis: for each pixel of the crop the share of each pixel of the image.
_AXIS_TEXT = """
        {p}in = Cast <to = 11> ({p}n_in)
        {p}out = Cast <to = 11> ({p}n_out)
        {p}scale = Div ({p}in, {p}out)
        {p}wide = Max ({p}scale, one)
        {p}narrow = Div (one, {p}wide)
        {p}support = Mul (reach, {p}wide)
        {p}margin = Sub ({p}out, {p}side)
        {p}half_margin = Div ({p}margin, two)
        {p}rounded = Round ({p}half_margin)
        {p}first = Cast <to = 7> ({p}rounded)
        {p}last = Add ({p}first, {p}side_int)
        {p}rows = Range ({p}first, {p}last, one_int)
        {p}rows_float = Cast <to = 11> ({p}rows)
        {p}middles = Add ({p}rows_float, half)
        {p}flat_centers = Mul ({p}middles, {p}scale)
        {p}centers = Unsqueeze ({p}flat_centers, last_axis)
        {p}low = Sub ({p}centers, {p}support)
        {p}low_up = Add ({p}low, half)
        {p}from = Cast <to = 7> ({p}low_up)
        {p}high = Add ({p}centers, {p}support)
        {p}high_up = Add ({p}high, half)
        {p}to = Cast <to = 7> ({p}high_up)
        {p}columns = Range (zero_int, {p}n_in, one_int)
        {p}is_after = GreaterOrEqual ({p}columns, {p}from)
        {p}is_before = Less ({p}columns, {p}to)
        {p}is_used = And ({p}is_after, {p}is_before)
        {p}columns_float = Cast <to = 11> ({p}columns)
        {p}away = Sub ({p}columns_float, {p}centers)
        {p}away_half = Add ({p}away, half)
        {p}x = Mul ({p}away_half, {p}narrow)
        {p}a = Abs ({p}x){filter}
        {p}raw = Where ({p}is_used, {p}filter, zero)
        {p}sum = ReduceSum ({p}raw, last_axis)
        {p}shares = Div ({p}raw, {p}sum)
        {p}size = Abs ({p}shares)
        {p}units = Mul ({p}size, unit)
        {p}units_up = Add ({p}units, half)
        {p}whole = Floor ({p}units_up)
        {p}sign = Sign ({p}shares)
        {p}weights = Mul ({p}whole, {p}sign)"""
# From sums in fixed point to 0 .. 255.
_ROUND_TEXT = """
        {p}raised = Add ({p}sums, half_unit)
        {p}scaled = Div ({p}raised, unit)
        {p}floored = Floor ({p}scaled)
        {p}bytes = Clip ({p}floored, zero, top)"""


def resize_model(geometry: Geometry, opset: int, ir_version: int) -> Any:
    """Build the ONNX model from `image` (H, W, C) uint8 to `squares` (1, C, S, S) uint8.

    Of a rectangle, S and S are its height and width.

    Args:
        geometry: How an image becomes a square.
        opset: Version of ONNX's operators, 18 or later.
        ir_version: Version of ONNX's file format.

    Raises:
        ExportError: If the geometry has a filter or a padding that the graph cannot express.
    """
    import onnx.parser

    if geometry.interpolation not in _SUPPORT or geometry.crop_mode == "border":
        raise ExportError(
            f"the resizing of this backbone ({geometry.interpolation}, {geometry.crop_mode}) "
            "cannot be put into an ONNX file",
            f"{', '.join(_SUPPORT)}; center, squash",
            "leave out --any-size: predict.py resizes",
        )
    return onnx.parser.parse_model(_model_text(geometry, opset, ir_version))


def _model_text(geometry: Geometry, opset: int, ir_version: int) -> str:
    (height, width), n = geometry.shape, geometry.in_chans
    filter_text = _FILTER_TEXT[geometry.interpolation]
    axes = "".join(
        _AXIS_TEXT.format(p=p, filter=filter_text.format(p=p)) for p in ("across_", "down_")
    )
    body = f"""
        last_axis = Constant <value = int64[1] {{-1}}> ()
        first_axis = Constant <value = int64[1] {{0}}> ()
        shape = Shape ({IMAGE})
        down_n_in = Gather (shape, zero_int)
        across_n_in = Gather (shape, one_int)
        {_target_text(geometry)}{axes}
        planes = Transpose <perm = [2, 0, 1]> ({IMAGE})
        pixels = Cast <to = 11> (planes)
        across_turned = Transpose <perm = [1, 0]> (across_weights)
        {_passes_text(f"double[{n}, {height}, {width}]")}
        square = Cast <to = 2> (both)
        {SQUARES} = Unsqueeze (square, first_axis)"""
    return f"""
    <ir_version: {ir_version}, opset_import: ["" : {opset}]>
    resize (uint8[H, W, {n}] {IMAGE}) => (uint8[1, {n}, {height}, {width}] {SQUARES}) {{
        {_constants(geometry, body)}{body}
    }}"""


def _passes_text(shape: str) -> str:
    """Both passes, in the order of the installed Pillow; of a long strip it makes the middle.

    Args:
        shape: Type and axes of the result.
    """
    return f"""area = Mul (across_n_out, down_n_out)
        is_strip = Greater (area, largest_area)
        across_made = Where (is_strip, across_side_int, across_n_out)
        down_made = Where (is_strip, down_side_int, down_n_out)
        down_lost = Sub (down_n_in, down_made)
        across_change = Sub (across_n_in, across_made)
        across_lost = Max (across_change, zero_int)
        across_lost_twice = Mul (across_lost, two_int)
        is_tall = Greater (down_lost, across_lost_twice)
        is_down_first = And (is_tall, tall_vertically_first)
        both = If (is_down_first) <
            then_branch = down_first () => ({shape} then_across_bytes) {{
                then_down_sums = MatMul (down_weights, pixels){_rounded("then_down_")}
                then_across_sums = MatMul (then_down_bytes, across_turned){_rounded("then_across_")}
            }},
            else_branch = across_first () => ({shape} else_down_bytes) {{
                else_across_sums = MatMul (pixels, across_turned){_rounded("else_across_")}
                else_down_sums = MatMul (down_weights, else_across_bytes){_rounded("else_down_")}
            }}
        >"""


def _rounded(prefix: str) -> str:
    return _ROUND_TEXT.format(p=prefix)


def _target_text(geometry: Geometry) -> str:
    """Size of the resized image; whole divisions round down, as `int()` does in Python."""
    down, across = geometry.scaled
    if geometry.crop_mode == "squash":
        return """across_n_out = Identity (across_scaled)
        down_n_out = Identity (down_scaled)"""
    if down != across:
        return """across_n_in_float = Cast <to = 11> (across_n_in)
        down_n_in_float = Cast <to = 11> (down_n_in)
        across_scaled_float = Cast <to = 11> (across_scaled)
        down_scaled_float = Cast <to = 11> (down_scaled)
        across_ratio = Div (across_n_in_float, across_scaled_float)
        down_ratio = Div (down_n_in_float, down_scaled_float)
        ratio = Min (across_ratio, down_ratio)
        across_exact = Div (across_n_in_float, ratio)
        across_nearest = Round (across_exact)
        across_n_out = Cast <to = 7> (across_nearest)
        down_exact = Div (down_n_in_float, ratio)
        down_nearest = Round (down_exact)
        down_n_out = Cast <to = 7> (down_nearest)"""
    return """shorter = Min (down_n_in, across_n_in)
        across_part = Mul (across_n_in, across_scaled)
        across_n_out = Div (across_part, shorter)
        down_part = Mul (down_n_in, down_scaled)
        down_n_out = Div (down_part, shorter)"""


def _constants(geometry: Geometry, body: str) -> str:
    """The constants that the text uses."""
    (height, width), (down, across) = geometry.shape, geometry.scaled
    numbers = _NUMBERS | {
        "down_side": float(height),
        "across_side": float(width),
        "reach": _SUPPORT[geometry.interpolation],
    }
    values = {name: f"double {{{value!r}}}" for name, value in numbers.items()}
    whole = {"zero_int": 0, "one_int": 1, "two_int": 2, "down_side_int": height,
             "across_side_int": width, "down_scaled": down, "across_scaled": across,
             "largest_area": MAX_RESIZED_PX}  # fmt: skip
    values |= {name: f"int64 {{{value}}}" for name, value in whole.items()}
    values["tall_vertically_first"] = f"bool {{{int(installed_starts_tall_vertically())}}}"
    used = set(re.findall(r"\w+", body))
    return "\n        ".join(
        f"{name} = Constant <value = {value}> ()" for name, value in values.items() if name in used
    )
