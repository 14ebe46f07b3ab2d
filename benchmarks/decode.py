"""Photos a second, and the time until photos of a phone are ready to train, before and after.

Usage:
python -m benchmarks.decode                   # 12 and 0.5 megapixels, on this machine
python -m benchmarks.decode --photos 8 --rounds 1

Before: the checks decode each file for their thumbnails, and the first job again for its squares.
After: both come from one decoding. Ways that would be faster and give other pixels are measured
beside them, with how far their pixels are off. All run in turn, in processor seconds of one
thread, since other work on a machine disturbs those least.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from frostline.data.checks.checkup import THUMBNAIL
from frostline.data.decode import decode_bytes, to_rgb
from frostline.data.geometry import Geometry, square
from frostline.data.pixels import open_pixels
from frostline.data.scan import inspect_image
from frostline.data.sources.folder import load_folder

SIZES = {"12 MP": (4000, 3000), "0.5 MP": (816, 612)}
TRAINED = Geometry(224, "bicubic", 0.875, "center", (124, 116, 104))
N_PHONE = 5000
_QUALITY = 90


def photo(width: int, height: int, seed: int) -> bytes:
    """A JPEG with the detail of a photo: smooth areas, edges, and the noise of a sensor."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((6, 90), (60, 50), (400, 30)):
        small = rng.integers(0, 255, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        grown = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        layers += weight / 170 * np.asarray(grown, np.float32)
    layers += rng.normal(0, 4, (height, width, 1)).astype(np.float32)
    file = BytesIO()
    image = Image.fromarray(layers.clip(0, 255).astype(np.uint8))
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def scanned(data: bytes) -> object:
    """What the listing of a data set does with a file: its digest, and that it can be decoded."""
    return inspect_image(data)


def thumbnail(data: bytes) -> object:
    """What the checks alone do."""
    return square(decode_bytes(data), THUMBNAIL)


def trained(data: bytes) -> object:
    """What a job alone does."""
    return square(decode_bytes(data), TRAINED)


def both(data: bytes) -> object:
    """What the checks now do for themselves and the jobs."""
    image = decode_bytes(data)
    return square(image, THUMBNAIL), square(image, TRAINED)


def draft(data: bytes) -> np.ndarray:
    """Pillow's scaled decoding, to at least twice the side that is kept."""
    image = Image.open(BytesIO(data))
    image.draft("RGB", (2 * TRAINED.scaled[0],) * 2)
    image.load()
    return square(to_rgb(image), TRAINED)


def by_torchvision(data: bytes) -> np.ndarray:
    """torchvision's decoder at full size."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    raw = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    pixels = decode_jpeg(raw, mode=ImageReadMode.RGB).permute(1, 2, 0).contiguous().numpy()
    return square(Image.fromarray(pixels), TRAINED)


WAYS: dict[str, Callable[[bytes], object]] = {
    "scan": scanned,
    "thumbnail": thumbnail,
    "square": trained,
    "thumbnail and square": both,
    "square, scaled decoding": draft,
    "square, torchvision": by_torchvision,
}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decode", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--photos", type=int, default=6, help="different photos of each size")
    parser.add_argument("--folder", type=int, default=24, help="photos of the folder made ready")
    parser.add_argument("--rounds", type=int, default=3, help="all ways in turn, so often")
    parser.add_argument("--out", type=Path, help="write the figures there as JSON")
    chosen = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    found = {
        name: measured(*size, photos=chosen.photos, rounds=chosen.rounds, in_folder=chosen.folder)
        for name, size in SIZES.items()
    }
    print("\n".join(table(found)))
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=1) + "\n")


Figures = dict[str, dict[str, float]]


def measured(width: int, height: int, *, photos: int, rounds: int, in_folder: int) -> Figures:
    """Processor milliseconds of each way for one photo, and how far its pixels are off."""
    files = [photo(width, height, seed) for seed in range(photos)]
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            begun = time.process_time()
            for data in files:
                way(data)
            times[name].append(1e3 * (time.process_time() - begun) / photos)
    wanted = [square(decode_bytes(data), TRAINED).astype(int) for data in files]
    off = {
        name: max(
            int(np.abs(way(data) - right).max()) for data, right in zip(files, wanted, strict=True)
        )
        for name, way in {"scaled decoding": draft, "torchvision": by_torchvision}.items()
    }
    return {
        "ms": {name: statistics.median(each) for name, each in times.items()},
        "largest difference of a value": off,
        "ready_s": whole(files, in_folder, rounds),
    }


def ready_s(files: list[bytes], n_photos: int, *, together: bool, folder: Path) -> float:
    """Processor seconds until a folder of photos can be checked and trained on, from nothing.

    Args:
        files: Different photos, of which the folder holds copies that differ in a comment.
        n_photos: In the folder.
        together: Whether thumbnails and squares come from one decoding.
        folder: Empty.
    """
    for number in range(n_photos):
        place = folder / f"photos/{number % 2}/{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        data = files[number % len(files)]
        comment = f"{number:08}".encode()
        place.write_bytes(data[:2] + b"\xff\xfe\x00\x0a" + comment + data[2:])
    os.environ["FROSTLINE_CACHE"] = str(folder / "cache")
    begun = time.process_time()
    images = load_folder(str(folder / "photos"), on_bad_image="error")
    open_pixels(images, THUMBNAIL, memory_gib=1.0, also=[TRAINED] if together else [])
    open_pixels(images, TRAINED, memory_gib=1.0)
    return time.process_time() - begun


def whole(files: list[bytes], n_photos: int, rounds: int) -> dict[str, float]:
    """Median seconds for one photo of a folder, both ways in turn."""
    times: dict[str, list[float]] = {"before": [], "after": []}
    for _ in range(rounds):
        for name, taken in times.items():
            with tempfile.TemporaryDirectory() as scratch:
                seconds = ready_s(
                    files, n_photos, together=name == "after", folder=Path(scratch)
                )  # fmt: skip
            taken.append(seconds / n_photos)
    return {name: statistics.median(taken) for name, taken in times.items()}


def table(found: dict[str, Figures]) -> list[str]:
    """The figures as Markdown."""

    def row(label: str, cells: list[str]) -> str:
        return f"| {' | '.join([label, *cells])} |"

    lines = [row("", list(found)), row("---", ["---"] * len(found))]
    for name in WAYS:
        each_ms = [each["ms"][name] for each in found.values()]
        lines.append(row(name, [f"{ms:.1f} ms, {1e3 / ms:.0f}/s" for ms in each_ms]))
    for name in ("before", "after"):
        each_s = [each["ready_s"][name] for each in found.values()]
        cells = [f"{1e3 * s:.1f} ms, {1 / s:.0f}/s; {N_PHONE * s / 60:.1f} min" for s in each_s]
        lines.append(row(f"a folder ready to train, {name}; {N_PHONE:,} of them", cells))
    for name in ("scaled decoding", "torchvision"):
        most = [each["largest difference of a value"][name] for each in found.values()]
        lines.append(row(f"largest difference of a value, {name}", [f"{v:.0f}" for v in most]))
    return lines


if __name__ == "__main__":
    main()
