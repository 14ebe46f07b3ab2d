"""The files that the words of the documents' commands name, made small."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, product
from pathlib import Path

import timm
import torch
from PIL import Image
from skimage import data as pictures
from sklearn.datasets import load_sample_images

# As in experiments/photographs.md, whose folder the tour reads.
PHOTOGRAPHS = {
    "birds": 35, "fish": 11, "flowers": 25, "fruit": 26, "insects": 8, "mammals": 63,
    "vegetables": 18,
}  # fmt: skip
PHOTOS = {"healthy": 24, "rust": 24, "scab": 24}
# As somebody else may call classes of the drawn leaves.
FIELD = ("apple healthy", "Apple rust", "grape_rust")
SIDE_PX = 48


def lay_out(folder: Path) -> None:
    """Write all files that the documents' commands name."""
    crops = _crops()
    for name, classes in {
        "photographs": PHOTOGRAPHS,
        "photos": PHOTOS,
        "field_photos": dict.fromkeys(FIELD, 4),
        "folds/fold1": dict.fromkeys(PHOTOS, 4),
        "folds/fold2": dict.fromkeys(PHOTOS, 4),
        "folds/fold3": dict.fromkeys(PHOTOS, 4),
        "folds/old": dict.fromkeys(PHOTOS, 4),
    }.items():
        for number, (kind, count) in enumerate(classes.items()):
            # The image's shape gives something of the class away, as in the real photographs.
            wider = 8 * (number % 3)
            _write(folder / name / kind, crops, count, wider)
    for name in ("more_photos", "new_photos", "field/far"):
        _write(folder / name, crops, 3)
    (folder / "pets/train").mkdir(parents=True)
    for kind, number in product(("cat", "dog"), range(6)):
        next(crops).save(folder / f"pets/train/{kind}.{number}.png")
    for name in ("photo.jpg", "one.jpg"):
        next(crops).save(folder / name)
    _write_tables(folder)
    torch.save(timm.create_model("resnet34").state_dict(), folder / "resnet34.pth")


def _write(folder: Path, crops: Iterator[Image.Image], count: int, wider: int = 0) -> None:
    """Write photos of leaves, three of each, whose numbers are those of no other class."""
    folder.mkdir(parents=True)
    first = 100 * len(list(folder.parent.iterdir()))
    for number in range(count):
        photo = next(crops).resize((SIDE_PX + wider, SIDE_PX))
        photo.save(folder / f"leaf{first + number // 3}_{number}.png")


def _write_tables(folder: Path) -> None:
    """Write tables of the photos, with plants, and a leaf map in the form of PlantVillage's."""
    for name, table in (("field_photos", "field.csv"), ("photos", "plants.csv")):
        rows = [
            (path.relative_to(folder).as_posix(), path.parent.name, path.stem.partition("_")[0])
            for path in sorted((folder / name).rglob("*.png"))
        ]
        lines = [("image", "label", "plant"), *rows]
        (folder / table).write_text("".join(",".join(line) + "\n" for line in lines))
        leaves = {Path(path).stem: [f"{label}:::{plant}"] for path, label, plant in rows}
        (folder / "leaf_grouping").mkdir(exist_ok=True)
        (folder / "leaf_grouping" / "leaf-map.json").write_text(json.dumps(leaves))


def write_layout(folder: Path, paths: Iterable[str], classes: Sequence[str]) -> None:
    """Write several photos of each class where a page has one of the first in `classes`."""
    crops = _crops()
    for path, kind in product(paths, classes):
        for number in range(4):
            file = folder / path.replace(classes[0], kind)
            file = file.with_stem(f"{file.stem}{number}")
            file.parent.mkdir(parents=True, exist_ok=True)
            next(crops).resize((SIDE_PX, SIDE_PX)).save(file)


def _crops() -> Iterator[Image.Image]:
    """Yield parts of real photographs that come with scikit-image and scikit-learn, for ever."""
    photos = [pictures.astronaut(), pictures.chelsea(), pictures.coffee(), pictures.rocket()]
    photos += load_sample_images().images
    images = [Image.fromarray(each) for each in photos]
    for step, image in enumerate(cycle(images)):
        width, height = image.size
        left = (step * 37) % (width - 160)
        top = (step * 23) % (height - 160)
        yield image.crop((left, top, left + 160, top + 160))
