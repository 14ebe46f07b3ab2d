"""The least time that a sweep could take here, from measured forward passes.

Per image and epoch: three forwards of what trains (forward and backward), one forward for
validation; the frozen stages once over all images for each backbone, since deeper ones start from
shallower ones. Reading stored inputs counts as nothing.
"""

import time
from typing import Any

import torch
from torch import nn

from benchmarks.jobs import Place, Workload, open_table
from src.backbones.build import build_backbone
from src.backbones.cut import cut
from src.training.head import build_head

_REPEATS = 4


def bound_s(work: Workload, place: Place) -> float:
    """Seconds for the whole sweep, in the faster of float32 and bfloat16 for each part."""
    if place.threads is not None:
        torch.set_num_threads(place.threads)
    table, splits = open_table(place)
    n_train, n_val, n_test = (len(rows) for rows in splits.named().values())
    forwards = work.epochs * (3 * n_train + n_val) + n_val + n_test
    total = 0.0
    frozen: dict[tuple[str, Any], float] = {}
    suffixes: dict[tuple[str, str], float] = {}
    for job in work.jobs:
        cell = (job.backbone, job.freeze)
        seed = job.seed if job.weights == "random" else None
        if cell not in suffixes:
            backbone = build_backbone(
                job.backbone, weights="random", image_size=work.image_size, seed=job.seed
            )
            freeze = int(job.freeze) if job.freeze.isdigit() else job.freeze
            parts = cut(backbone, freeze, pool="avg")
            head = build_head(
                parts.num_features, len(table.classes), hidden=None, dropout=0.0,
                batch_norm=False, seed=0,
            )  # fmt: skip
            size = work.image_size
            images = torch.randn(work.batch_size, 3, size, size, device=place.device)
            images = images.contiguous(memory_format=torch.channels_last)
            prefix, suffix = parts.prefix.to(place.device), parts.suffix.to(place.device)
            backbone.eval()
            with torch.inference_mode():
                handed = prefix(images)
            trained = nn.Sequential(suffix, head.to(place.device))
            suffixes[cell] = _forward_s(trained, handed, place.device) / work.batch_size
            spent = _forward_s(prefix, images, place.device) / work.batch_size
            frozen[job.backbone, seed] = max(spent, frozen.get((job.backbone, seed), 0.0))
        frozen.setdefault(
            (job.backbone, seed), max(v for k, v in frozen.items() if k[0] == job.backbone)
        )
        total += forwards * suffixes[cell]
    return total + sum(frozen.values()) * (n_train + n_val + n_test)


def _forward_s(module: nn.Module, inputs: torch.Tensor, device: str) -> float:
    best = float("inf")
    for enabled in (False, True):
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=enabled):
            for _ in range(_REPEATS):
                begun = time.perf_counter()
                module(inputs)
                if device == "cuda":
                    torch.cuda.synchronize()
                best = min(best, time.perf_counter() - begun)
    return best
