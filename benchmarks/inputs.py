"""What every system starts from: the same JPEG files, and an empty store of records."""

from pathlib import Path


def write_images(folder: Path, n: int, size_px: int) -> Path:
    """The built-in leaves as JPEG files in class folders, which every system reads."""
    from frostline.data.sources.leaves import load_leaves

    table = load_leaves(
        n_images=n, size_px=size_px, n_species=2, photos_per_leaf=1, variant="color",
        background="lab", imbalance=1.0, shortcut=0.0, leak=0.0, draw_seed=0,
    )  # fmt: skip
    for row, item in enumerate(table.items):
        place = folder / table.classes[int(table.labels[row])] / f"{row:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        table.open_image(item).save(place, quality=92)
    return folder


def new_store(scratch: Path) -> Path:
    """An empty, migrated database, made once: migrations are not what is measured."""
    from mlflow import MlflowClient

    file = scratch / "template.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments(max_results=1)
    return file
