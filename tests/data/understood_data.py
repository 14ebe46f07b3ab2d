"""Data sets that have always been read, laid out from plain bytes: one fingerprint each, for ever.

`python -m tests.data.understood_data` prints their fingerprints as JSON.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from frostline.data.sample_table import SampleTable
from frostline.data.sources.csv_table import load_csv
from frostline.data.sources.folder import load_folder

Tree = Mapping[str, int]


def write_photo(path: Path, number: int) -> None:
    """Write a picture of 2 x 2 pixels without a library, so that its bytes never change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"P6 2 2 255\n" + bytes((number * 37 + k * 11) % 256 for k in range(12)))


def write_deep(path: Path, top: int) -> None:
    """Write a grey picture of 16 bits with the values 0, top/2 and top."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = (0, top // 2, top, top)
    path.write_bytes(b"P5 2 2 65535\n" + b"".join(v.to_bytes(2, "big") for v in values))


def sides(names: str, classes: str = "rust healthy", n: int = 4) -> dict[str, int]:
    """Folder and number of images for each pair."""
    return {f"{side}/{kind}": n for side in names.split() for kind in classes.split()}


FOLDERS: dict[str, Tree] = {
    "plain": {"rust": 4, "healthy": 3},
    "three splits": sides("train val test"),
    "other spellings": sides("Training validation Testing"),
    "valid": sides("train valid"),
    "a few images outside classes": sides("train test") | {"test": 2},
    "all of test outside classes": sides("train") | {"test": 5},
    "all of val and test outside": sides("train") | {"test": 5, "val": 3},
    "wrapped": sides("a/b/train a/b/test"),
    "wrapped classes": sides("download/photos"),
    "nested copy": {"rust": 4, "healthy": 3, "scab": 3, **sides("Leaves", "rust healthy scab")},
    "years under classes": sides("cat dog", "2020 2021"),
    "days under classes": sides("cat dog cow", "2020-05-01 2020-05-02"),
    "some years": {"cat/2020/may": 3, "cat/2021": 1, "dog": 3},
    "plants under classes": sides("rust healthy", "plant_1 plant_2 plant_3"),
    "views under classes": sides("rust healthy", "left right"),
    "day and night": sides("cat dog", "day night"),
    "variants under classes": sides("rust healthy", "color grayscale segmented"),
    "original and augmented under classes": sides("rust healthy", "original augmented"),
    "images below each class": sides("rust healthy", "images"),
    "clips under classes": sides("original manipulated", "000 001 002"),
    "breeds": {"cat/siamese": 3, "cat/persian": 3, "dog/poodle": 3, "dog/boxer": 3},
    "one shared name": {"apple/healthy": 3, "apple/scab": 3, "corn/healthy": 3, "corn/rust": 3},
    "grades with dates": sides("grade_0 grade_1 grade_2", "2020 2021"),
    "classes by number": {str(k): 2 for k in range(11)},
    "vehicles": {"train": 4, "bus": 4, "car": 4},
    "vehicles with kinds": {"train/steam": 3, "train/diesel": 3, "bus/red": 3, "car": 3},
    "a class called test": {"test": 4, "control": 4},
    "a class called validation": {"validation": 4, "control": 4, "dev": 3},
    "only train below classes": sides("rust healthy", "train"),
    "spaces and emoji": {"leaf rust 🍂": 3, "grün ok": 3},
    "one class lacks images in test": {**sides("train", "a b c"), **sides("test", "a b")},
    "deep classes": {"train/a/x/y": 3, "train/b/z": 3, "test/a": 2, "test/b/q": 2},
}

_N = 10
_SIDES = ["train"] * 6 + ["valid"] * 2 + ["Testing"] * 2
_NAMES = [f"img_{k:03d}.ppm" for k in range(_N)]


def _listed(header: str, row: Callable[[int], str]) -> str:
    return "\n".join([header, *(row(k) for k in range(_N))]) + "\n"


TABLES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": (_listed("image,label", lambda k: f"{_NAMES[k]},{'ab'[k % 2]}"), {}),
    "numbers": (_listed("image_id,target", lambda k: f"{_NAMES[k]},{k % 3}"), {}),
    "semicolons": (_listed("image;label", lambda k: f"{_NAMES[k][:-4]};{'ab'[k % 2]}"), {}),
    "an index column": (_listed(",image,label", lambda k: f"{k},{_NAMES[k]},{k % 2}"), {}),
    "leading zeros": (_listed("image,label", lambda k: f"{_NAMES[k]},0{k % 2}"), {}),
    "minus and plus one": (_listed("image,label", lambda k: f"{_NAMES[k]},{(-1, 1)[k % 2]}"), {}),
    "halves": (_listed("image,label", lambda k: f"{_NAMES[k]},{(0.5, 1.0)[k % 2]}"), {}),
    "the class none": (_listed("image,label", lambda k: f"{_NAMES[k]},{['none', 'x'][k % 2]}"), {}),
    "the class None": (_listed("image,label", lambda k: f"{_NAMES[k]},{['None', 'x'][k % 2]}"), {}),
    "the class NA": (_listed("image,label", lambda k: f"{_NAMES[k]},{['NA', 'EU'][k % 2]}"), {}),
    "quoted commas": (
        _listed("image,label", lambda k: f'{_NAMES[k]},"{["corn, rust", "corn"][k % 2]}"'),
        {},
    ),
    "words with spaces": (
        _listed("image,label", lambda k: f"{_NAMES[k]},{['rust', 'scab', 'rust scab'][k % 3]}"),
        {},
    ),
    "padded": (_listed(" image , label ", lambda k: f" {_NAMES[k]} , {'ab'[k % 2]} "), {}),
    "windows paths": (_listed("path,label", lambda k: f"img\\{_NAMES[k]},{k % 2}"), {}),
    "splits": (
        _listed("image,label,s,p", lambda k: f"{_NAMES[k]},{'ab'[k % 2]},{_SIDES[k]},p{k}"),
        {"split_column": "s", "group_by": "p"},
    ),
    "one-hot": (
        _listed("image,a,b", lambda k: f"{_NAMES[k]},{k % 2},{1 - k % 2}"),
        {"label_column": ["a", "b"]},
    ),
    "one-hot floats": (
        _listed("image,a,b", lambda k: f"{_NAMES[k]},{k % 2}.0,{1 - k % 2}.0"),
        {"label_column": ["a", "b"]},
    ),
    "repeated": (_listed("image,label", lambda k: f"{_NAMES[k % 8]},{'ab'[k % 2]}"), {}),
}

DEEP = {"full range": 65535, "most of the range": 40000}


def read_all(place: Path) -> dict[str, SampleTable]:
    """Lay out and read every data set of this file."""
    tables = {}
    for name, tree in FOLDERS.items():
        root = place / name / "data"
        number = 0
        for folder, n in tree.items():
            for k in range(n):
                number += 1
                write_photo(root / folder / f"img_{k:03d}.ppm", number)
        tables[name] = load_folder(str(root), on_bad_image="error")
    root = place / "tables"
    for k, image in enumerate(_NAMES):
        write_photo(root / "img" / image, k)
    for name, (text, options) in TABLES.items():
        file = root / "list.csv"
        file.write_bytes(text.encode())
        images = None if "windows" in name else "img"
        tables[f"table: {name}"] = load_csv(
            str(file), **({"on_bad_image": "error", "images": images} | options)
        )
    for name, top in DEEP.items():
        for kind in ("a", "b"):
            for k in range(3):
                write_deep(place / name / kind / f"{k}.pgm", top - k)
        tables[f"deep: {name}"] = load_folder(str(place / name), on_bad_image="error")
    return tables


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        prints = {name: table.fingerprint for name, table in read_all(Path(folder)).items()}
    print(json.dumps(prints, indent=1, ensure_ascii=False))
