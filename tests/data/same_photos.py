"""The same photos laid out for each source: folder, table, archives, Hugging Face data set."""

import csv
import tarfile
import zipfile
from pathlib import Path


def as_folder(root: Path) -> Path:
    return root


def as_csv(root: Path) -> Path:
    """A table in reversed order, names without extension, beside the folder."""
    listing = root.with_name("list.csv")
    with listing.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["image", "label"])
        for path in sorted(root.rglob("*.png"), reverse=True):
            writer.writerow([path.relative_to(root).with_suffix(""), path.parent.name])
    return listing


def as_zip(root: Path) -> Path:
    packed = root.with_name("photos.zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in root.rglob("*.png"):
            archive.write(path, path.relative_to(root))
    return packed


def as_tar(root: Path) -> Path:
    packed = root.with_name("photos.tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(root, "photos")
    return packed


def as_hub(root: Path) -> Path:
    """A local data set in the format of Hugging Face `datasets`."""
    import datasets

    datasets.disable_progress_bars()
    files = sorted(root.rglob("*.png"))
    classes = sorted({path.parent.name for path in files})
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=classes)}
    )
    made = datasets.Dataset.from_dict(
        {"image": [str(path) for path in files], "label": [path.parent.name for path in files]},
        features=features,
    )
    made.save_to_disk(str(root.with_name("hub")))
    return root.with_name("hub")
