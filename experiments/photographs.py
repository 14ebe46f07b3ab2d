"""Copy the photographs among Debian's Tux Paint stamps to ROOT/class/*.png.

    apt-get download tuxpaint-stamps-default
    dpkg -x tuxpaint-stamps-default_*.deb stamps
    python experiments/photographs.py stamps photographs
    python -m src.train -m data=folder data.path=photographs backbone=... freeze=...

Transparent pixels become white. Drawings are left out (folders called `cartoon`, SVG files, images
that are more than half flat colour), and images that are too large to decode.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from frostline.data.decode import UnreadableImageError, decode_file

STAMPS = Path("usr/share/tuxpaint/stamps")
CLASSES = {
    "birds": "animals/birds",
    "fish": "animals/fish",
    "flowers": "plants/flowers",
    "fruit": "food/fruit",
    "insects": "animals/insects",
    "mammals": "animals/mammals",
    "vegetables": "food/vegetables",
}
MAX_FLAT_FRAC = 0.5


def flat_frac(image: Image.Image) -> float:
    """Return the share of pixels that equal their left neighbour, except pure white ones."""
    pixels = np.asarray(image).astype(np.int64)
    left, right = pixels[:, :-1], pixels[:, 1:]
    painted = (left.sum(axis=2) < 765) & (right.sum(axis=2) < 765)
    same = (left == right).all(axis=2)
    return float(same[painted].mean()) if painted.any() else 1.0


def copy_photographs(stamps: Path, target: Path) -> dict[str, int]:
    """Copy the photographs; return the number of each class."""
    counts = {}
    for name, folder in CLASSES.items():
        (target / name).mkdir(parents=True, exist_ok=True)
        counts[name] = 0
        for path in sorted((stamps / folder).rglob("*")):
            if not path.is_file() or path.suffix not in {".png", ".svg", ".jpg"}:
                continue
            relative = path.relative_to(stamps / folder)
            if path.suffix == ".svg" or "cartoon" in relative.parts:
                print(f"left out, a drawing: {folder}/{relative}")
                continue
            try:
                image = decode_file(path)
            except UnreadableImageError as error:
                print(f"left out: {folder}/{relative}: {error.given}")
                continue
            if flat_frac(image) > MAX_FLAT_FRAC:
                print(f"left out, flat colours: {folder}/{relative}")
                continue
            image.save(target / name / "_".join(relative.with_suffix(".png").parts))
            counts[name] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="the unpacked package, or its stamps folder")
    parser.add_argument("target", type=Path, help="where ROOT/class/*.png is made")
    options = parser.parse_args()
    stamps = options.package / STAMPS
    stamps = stamps if stamps.is_dir() else options.package
    missing = [folder for folder in CLASSES.values() if not (stamps / folder).is_dir()]
    if missing:
        sys.exit(f"{stamps} lacks {', '.join(missing)}: give the unpacked tuxpaint-stamps-default")
    for name, count in copy_photographs(stamps, options.target).items():
        print(f"{name:12} {count:3} photographs")


if __name__ == "__main__":
    main()
