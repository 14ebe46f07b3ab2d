"""P1, a tuned loop: as good as we can write it without keeping what frozen stages computed.

Correct freeze, frozen prefix under no_grad, the fastest precision of each direction by probe,
channels_last, decoded images in memory for the whole sweep, augmentation and normalisation by the
batch, records once an epoch; all jobs in one process.
"""

import copy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.jobs import Job, Place, Workload, open_table
from benchmarks.records import Records
from src.backbones.build import build_backbone
from src.backbones.cut import cut
from src.backbones.frozen import trainable_parameters
from src.config.schema import AdamW, CosineLr
from src.data.datamodule import ImageDataModule
from src.training.head import build_head
from src.training.metrics import classification_metrics
from src.training.optim import build_optimizer, lr_factor
from src.training.probe import fastest_precisions
from src.training.seeds import seed_epoch

ADAMW = AdamW(name="adamw", weight_decay=0.01, layer_decay=1.0)
COSINE = CosineLr(name="cosine", warmup_frac=0.1)


def tuned_sweep(work: Workload, place: Place) -> list[float]:
    """All jobs; returns the test accuracy of each."""
    if place.threads is not None:
        torch.set_num_threads(place.threads)
    table, splits = open_table(place)
    records = Records(place.store_uri)
    kept: dict[Any, Any] = {}
    return [_job(job, work, place, table, splits, records, kept) for job in work.jobs]


def _job(
    job: Job, work: Workload, place: Place, table: Any, splits: Any, records: Records, kept: Any
) -> float:
    run_id = records.start(job, epochs=work.epochs)
    # Weights are read once for the whole sweep.
    own_seed = job.seed if job.weights == "random" else None
    if (job.backbone, own_seed) not in kept:
        kept[job.backbone, own_seed] = build_backbone(
            job.backbone, weights=job.weights, image_size=work.image_size, seed=job.seed
        )
    backbone = copy.deepcopy(kept[job.backbone, own_seed])
    freeze = int(job.freeze) if job.freeze.isdigit() else job.freeze
    parts = cut(backbone, freeze, pool="avg")
    head = build_head(
        parts.num_features, len(table.classes), hidden=None, dropout=0.0, batch_norm=False,
        seed=job.seed,
    )  # fmt: skip
    trained = nn.Sequential(parts.suffix, head).to(place.device)
    prefix = parts.prefix.to(place.device)
    data = ImageDataModule(
        table, splits, backbone.input, augment="none", batch_size=work.batch_size, seed=job.seed,
        workers=0, memory_gib=64.0,
    )  # fmt: skip
    # Decoded once for the whole sweep.
    data._opened = kept.setdefault(data.evaluation.key, data._opened)
    preprocess = data.preprocess.to(place.device)
    loaders = [data.train_dataloader(), data.val_dataloader(), data.test_dataloader()]

    def ready(batch: Any) -> tuple[Tensor, Tensor]:
        inputs, views = batch.inputs.to(place.device), batch.views.to(place.device)
        images = preprocess(inputs, views, training=True, epoch=0, batch_idx=0)
        return images, batch.labels.to(place.device)

    sample, _ = ready(next(iter(loaders[0])))
    fastest = fastest_precisions(
        prefix, trained, sample, accelerator=place.device, folder=place.folder / "probes",
        about=f"P1 {job.backbone} {work.image_size} {job.freeze} {len(sample)}",
    )  # fmt: skip
    optimizer = build_optimizer(ADAMW, trainable_parameters(trained), job.lr)
    total = len(loaders[0]) * work.epochs
    factor = lr_factor(COSINE, total_steps=total, steps_per_epoch=len(loaders[0]))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)

    def logits_of(images: Tensor) -> Tensor:
        with torch.no_grad(), _cast(place.device, fastest.forward):
            handed = prefix(images)
        if fastest.training == "32-true":
            handed = handed.float()
        with _cast(place.device, fastest.training):
            logits: Tensor = trained(handed)
        return logits.float()

    def judged(loader: Any) -> dict[str, float]:
        backbone.eval(), head.eval()
        with torch.inference_mode():
            parts_ = [(logits_of(images), labels) for images, labels in map(ready, loader)]
        logits, labels = (torch.cat(values) for values in zip(*parts_, strict=True))
        return classification_metrics(logits.cpu(), labels.cpu())

    best, best_state, best_path = -1.0, {}, place.folder / f"{run_id}.pt"
    for epoch in range(work.epochs):
        backbone.train(), head.train()
        seed_epoch(job.seed, epoch)
        loaders[0].sampler.set_epoch(epoch)
        seen = torch.zeros((), device=place.device)
        for batch in loaders[0]:
            images, labels = ready(batch)
            loss = F.cross_entropy(logits_of(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            scheduler.step()
            seen += loss.detach()
        figures = {f"val/{name}": value for name, value in judged(loaders[1]).items()}
        records.epoch(run_id, figures | {"train/loss": seen.item() / len(loaders[0])}, epoch)
        if figures["val/f1_macro"] > best:
            best = figures["val/f1_macro"]
            best_state = {
                "backbone": {k: v.clone() for k, v in backbone.model.state_dict().items()},
                "head": {k: v.clone() for k, v in head.state_dict().items()},
            }
            _save(best_state, best_path)
    backbone.model.load_state_dict(best_state["backbone"])
    head.load_state_dict(best_state["head"])
    final = {f"val_best/{name}": value for name, value in judged(loaders[1]).items()}
    final |= {f"test/{name}": value for name, value in judged(loaders[2]).items()}
    records.epoch(run_id, final, work.epochs)
    records.finish(run_id)
    return final["test/acc_micro"]


def _cast(device: str, precision: str) -> torch.autocast:
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16-mixed")


def _save(state: dict[str, Any], path: Path) -> None:
    torch.save(state, path)
