"""Strips of extreme shape become a square without taking the memory of the whole enlarged strip."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from frostline.data import geometry
from frostline.data.geometry import Geometry, square

SQUARE = Geometry(24, "bicubic", 0.875, "center", (0, 0, 0))


def strip(width, height):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.mark.parametrize("shape", [(900, 3), (3, 900), (501, 2), (40, 30), (64, 64)])
@pytest.mark.parametrize("filter_", ["bilinear", "bicubic", "nearest"])
def test_the_kept_part_of_a_strip_is_that_of_the_whole(shape, filter_, monkeypatch):
    wanted = Geometry(24, filter_, 0.875, "center", (0, 0, 0))
    whole = square(strip(*shape), wanted)
    monkeypatch.setattr(geometry, "MAX_RESIZED_PX", 0)
    part = square(strip(*shape), wanted)
    difference = np.abs(whole.astype(int) - part)
    assert part.shape == (24, 24, 3)
    # Rounding of the box may move a sample by one grey level, and `nearest` by one pixel.
    assert np.mean(difference > 1) < (0.1 if filter_ == "nearest" else 0.01)


@pytest.mark.parametrize("mode", ["center", "border", "squash"])
@pytest.mark.parametrize("shape", [(40_000, 1), (1, 40_000)])
def test_a_long_strip_takes_little_memory(mode, shape):
    code = (
        "import resource, numpy as np; from PIL import Image;"
        "from frostline.data.geometry import Geometry, square;"
        f"before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"s = square(Image.new('RGB', {shape}, 'red'),"
        f" Geometry(224, 'bicubic', 0.875, '{mode}', (0, 0, 0)));"
        "assert s.shape == (224, 224, 3), s.shape;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100 * 2**10  # KiB
