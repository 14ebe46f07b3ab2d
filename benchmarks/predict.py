"""Images a second of `src.predict` beside a bare timm loop, on the same files and weights.

    python -m benchmarks.predict [--backbone resnet18] [--images 512] [--rounds 3]

The bare loop is what people write: timm's model and transform, PIL, a DataLoader, batches of 64 in
float32 under inference_mode, without workers and with one for each core; the faster one counts.
Rounds alternate; medians are compared. The goal is a share of 0.90 or more in float32.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from frostline.backbones.backbone import Backbone
from frostline.backbones.build import build_backbone
from frostline.backbones.split.cut import cut
from frostline.cores import usable_cores
from frostline.data.geometry import evaluation_geometry
from frostline.data.sources.leaves import load_leaves
from frostline.data.transforms import BatchTransform
from frostline.inference.predictor import Predictor
from frostline.inference.rebuild import Network
from frostline.training.head import build_head

BATCH, CLASSES, PHOTO_PX = 64, 20, 384


class Files(Dataset[torch.Tensor]):
    """What an ImageFolder does, without labels."""

    def __init__(self, paths: list[Path], transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(self.paths[index]).convert("RGB"))


def draw(folder: Path, n_images: int) -> list[Path]:
    """Photos of leaves as JPEG files."""
    table = load_leaves(
        n_images=max(120, n_images), size_px=PHOTO_PX, n_species=4, photos_per_leaf=1,
        variant="color", background="field", imbalance=1.0, shortcut=0.0, leak=0.0, draw_seed=0,
    )  # fmt: skip
    paths = []
    drawn = [table.open_image(item) for item in table.items[:32]]
    for number in range(n_images):
        path = folder / f"{number:05}.jpg"
        drawn[number % len(drawn)].save(path, quality=90)
        paths.append(path)
    return paths


def bare(backbone: Backbone, head: nn.Module, paths: list[Path], workers: int) -> np.ndarray:
    """The loop that people write."""
    model = nn.Sequential(backbone.model, head).eval()
    spec = backbone.input
    transform: Any = timm.data.create_transform(
        (3, spec.size_px, spec.size_px),
        interpolation=spec.interpolation,
        mean=spec.mean,
        std=spec.std,
        crop_pct=spec.crop_pct,
        crop_mode=spec.crop_mode,
    )
    loader = DataLoader(Files(paths, transform), batch_size=BATCH, num_workers=workers)
    with torch.inference_mode():
        return torch.cat([model(images).softmax(dim=1) for images in loader]).numpy()


def ours(
    backbone: Backbone, head: nn.Module, paths: list[Path], precision: str
) -> tuple[np.ndarray, str]:
    """What `src.predict` does after it has found the run."""
    predictor = Predictor(
        Network(cut(backbone, backbone.depth(0), pool="avg").suffix, head).eval(),
        BatchTransform(backbone.input, augment="none", seed=0),
        evaluation_geometry(backbone.input),
        "cpu",
        precision,
    )
    said = np.zeros((len(paths), CLASSES), np.float32)
    answers = predictor.answers(paths, top=CLASSES, batch_size=BATCH)
    for row, answer in enumerate(answers):
        said[row, list(answer.top)] = answer.probs
    return said, predictor.precision


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    backbone = build_backbone(given.backbone, weights="random", image_size=None, seed=0)
    features = cut(backbone, backbone.depth(0), pool="avg").num_features
    head = build_head(features, CLASSES, hidden=None, dropout=0.0, batch_norm=False, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        paths = draw(Path(folder), given.images)
        ways: dict[str, Callable[[], Any]] = {
            "bare timm, no workers": lambda: bare(backbone, head, paths, 0),
            "bare timm, workers": lambda: bare(backbone, head, paths, usable_cores()),
            "predict, float32": lambda: ours(backbone, head, paths, "32-true")[0],
            "predict, auto": lambda: ours(backbone, head, paths, "auto")[0],
        }
        took_s: dict[str, list[float]] = {name: [] for name in ways}
        said: dict[str, np.ndarray] = {}
        for _ in range(given.rounds):
            for name, way in ways.items():
                begun = time.perf_counter()
                said[name] = way()
                took_s[name].append(time.perf_counter() - begun)
    rates = {name: given.images / statistics.median(times) for name, times in took_s.items()}
    print(f"{given.backbone}, {given.images} JPEGs of {PHOTO_PX} px, {usable_cores()} cores")
    for name, rate in rates.items():
        gap = np.abs(said[name] - said["bare timm, no workers"]).max()
        print(f"  {name:24}{rate:9.1f} images/s   largest difference {gap:.1e}")
    best = max(rates["bare timm, no workers"], rates["bare timm, workers"])
    print(f"share of the faster bare loop: float32 {rates['predict, float32'] / best:.2f}, "
          f"auto {rates['predict, auto'] / best:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
