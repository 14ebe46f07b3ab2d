"""Write the built-in leaves as ROOT/class/*.png, so that one sweep can run over several folders.

    python experiments/leaf_folders.py leaves
    python experiments/leaf_folders.py leaves-segmented --variant segmented

The photos of one leaf share their name up to `_photoN`; data.group_by keeps them together:

    data.group_by='^(?P<group>.*?)(_photo\\d+)?\\.\\w+$'
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from frostline.data.sources.leaves import BACKGROUNDS, VARIANTS, load_leaves


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="where ROOT/class/*.png is made")
    parser.add_argument("--images", type=int, default=400, help="photos in all (400)")
    parser.add_argument("--species", type=int, default=2, help="crops, five classes each (2)")
    parser.add_argument("--photos-per-leaf", type=int, default=2)
    parser.add_argument("--variant", choices=VARIANTS, default="color")
    parser.add_argument("--background", choices=BACKGROUNDS, default="lab")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = load_leaves(
        n_images=options.images,
        size_px=128,
        n_species=options.species,
        photos_per_leaf=options.photos_per_leaf,
        variant=options.variant,
        background=options.background,
        imbalance=1.0,
        shortcut=0.0,
        leak=0.0,
        draw_seed=options.seed,
    )
    for item in table.items:
        file = options.target / f"{item}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        table.open_image(item).save(file)
    print(f"{len(table)} drawings of {len(table.classes)} classes: {options.target}")


if __name__ == "__main__":
    main()
