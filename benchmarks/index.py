"""How long a large folder of images takes to be known: the first time, and again.

python -m benchmarks.index [--files 100000] [--rounds 3]
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 20
DRAWN = 50
SIZE_PX = 128


def main() -> None:
    """Write the files, read them in, read them in again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="second readings: their median")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FROSTLINE_CACHE"] = str(Path(folder) / "cache")
        photos = Path(folder) / "photos"
        write_photos(photos, given.files)
        first = seconds_to_load(photos)
        again = statistics.median(seconds_to_load(photos) for _ in range(given.rounds))
    print(
        f"{given.files:,} JPEG files of {SIZE_PX} px, just written, {len(os.sched_getaffinity(0))} "
        f"cores: first {first:.1f} s, again {again:.2f} s"
    )


def write_photos(root: Path, n_files: int) -> None:
    """JPEG files that all differ in their bytes, evenly in classes."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWN):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC).save(file, "JPEG", quality=88)
        drawn.append(file.getvalue())
    for number in range(n_files):
        folder = root / f"class{number % CLASSES:02}"
        if number < CLASSES:
            folder.mkdir(parents=True)
        # A comment of its own after the marker of the start makes each file another.
        note = str(number).encode()
        comment = b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note
        picture = drawn[number % DRAWN]
        (folder / f"{number:06}.jpg").write_bytes(picture[:2] + comment + picture[2:])


def seconds_to_load(photos: Path) -> float:
    """Seconds until the table is there."""
    from hydra import compose, initialize_config_dir

    from frostline.config.conf_files import CONF
    from frostline.config.read import settings_of
    from frostline.data.load import load_table

    with initialize_config_dir(str(CONF), version_base="1.3"):
        data = settings_of(compose("train", ["data=folder", f"data.path={photos}"])).data
    begun = time.perf_counter()
    load_table(data)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
