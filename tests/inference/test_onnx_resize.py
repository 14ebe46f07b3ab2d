"""The resize within an ONNX file is Pillow's, to the bit."""

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from frostline.data.geometry import Geometry, is_long_strip, square, target_size
from frostline.inference.formats.deployable import ExportError
from frostline.inference.formats.onnx_resize import resize_model

SIZES = ((1, 1), (1, 60), (60, 1), (3, 2), (41, 37), (64, 64), (90, 700), (700, 90), (300, 200),
         (5, 300), (127, 333), (56, 64))  # fmt: skip


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("crop_mode", "crop_pct"), [("center", 0.875), ("squash", 1.0)])
@pytest.mark.parametrize("width_px", [None, 72, 40])
def test_it_is_pillows(
    interpolation: str, crop_mode: str, crop_pct: float, width_px: int | None
) -> None:
    geometry = Geometry(56, interpolation, crop_pct, crop_mode, (0, 0, 0), width_px=width_px)
    model = resize_model(geometry, 18, 10).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(3)
    for width, height in SIZES:
        for values in (rng.integers(0, 256, (height, width, 3)),
                       rng.integers(0, 2, (height, width, 3)) * 255):  # fmt: skip
            image = values.astype(np.uint8)
            (found,) = session.run(None, {"image": image})
            expected = square(Image.fromarray(image), geometry)
            assert np.array_equal(found[0].transpose(1, 2, 0), expected), (width, height)


@pytest.mark.parametrize("width_px", [None, 72])
@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (2, 40_000)])
def test_of_a_long_strip_the_middle_is_the_same(
    size: tuple[int, int], width_px: int | None
) -> None:
    """Up to a rounding: Pillow's box has single precision, which counts more where more is made."""
    geometry = Geometry(56, "bicubic", 0.875, "center", (0, 0, 0), width_px=width_px)
    assert is_long_strip(target_size(size, geometry), geometry)
    model = resize_model(geometry, 18, 10).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(4).integers(0, 2, (size[1], size[0], 3)) * 255
    image = noise.astype(np.uint8)
    (found,) = session.run(None, {"image": image})
    expected = square(Image.fromarray(image), geometry).astype(int)
    assert np.abs(found[0].transpose(1, 2, 0) - expected).max() <= (1 if width_px is None else 2)


@pytest.mark.parametrize(
    ("interpolation", "crop_mode"), [("lanczos", "center"), ("bicubic", "border")]
)
def test_what_cannot_be_expressed_is_refused(interpolation: str, crop_mode: str) -> None:
    with pytest.raises(ExportError, match="cannot be put into an ONNX file"):
        resize_model(Geometry(56, interpolation, 1.0, crop_mode, (0, 0, 0)), 18, 10)
