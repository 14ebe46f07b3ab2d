"""P0, what people do: Hydra, Lightning and timm, float32, frozen by `requires_grad=False` alone.

The BatchNorm layers of the frozen stages keep training (the default of Lightning's
BackboneFinetuning and of fastai), so gradients flow back through them; images are decoded and
transformed one by one whenever they are needed; metrics are torchmetrics logged by the epoch.
"""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import MLFlowLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score
from torchvision.transforms import v2

from benchmarks.jobs import Job, Place, Workload, open_table
from benchmarks.plain import Given, Givens, key_of, load
from benchmarks.records import EXPERIMENT
from frostline.data.order import epoch_order
from frostline.training.head import build_head
from frostline.training.learning_rates import lr_factor
from frostline.training.trainer import quieten

CONF = Path(__file__).resolve().parents[1] / "conf"


class Photos(Dataset[tuple[Tensor, int]]):
    def __init__(self, table: Any, rows: Any, transform: v2.Compose) -> None:
        self.table, self.rows, self.transform = table, rows, transform

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self.rows[index]
        image = self.table.open_image(self.table.items[row])
        return self.transform(image), int(self.table.labels[row])


class Order(torch.utils.data.Sampler[int]):
    """The order that all systems use, so that their losses can be compared."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Any:
        return iter(epoch_order(self.n, seed=self.seed, epoch=self.epoch).tolist())


class UsualModule(pl.LightningModule):
    def __init__(
        self, model: nn.Module, frozen: frozenset[str], head: nn.Module, job: Job, n_classes: int
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.job = model, head, job
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(name not in frozen)
        for module in self.backbone.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.requires_grad_(True)
        for split in ("val", "test"):
            setattr(self, f"{split}_acc", MulticlassAccuracy(n_classes, average="micro"))
            setattr(self, f"{split}_f1", MulticlassF1Score(n_classes, average="macro"))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images))
        return logits

    def training_step(self, batch: Any, _: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss, on_epoch=True)
        return loss

    def _judge(self, batch: Any, split: str) -> None:
        logits = self(batch[0])
        acc, f1 = getattr(self, f"{split}_acc"), getattr(self, f"{split}_f1")
        acc(logits, batch[1])
        f1(logits, batch[1])
        self.log(f"{split}/loss", F.cross_entropy(logits, batch[1]))
        self.log(f"{split}/acc_micro", acc)
        self.log(f"{split}/f1_macro", f1)

    def validation_step(self, batch: Any, _: int) -> None:
        self._judge(batch, "val")

    def test_step(self, batch: Any, _: int) -> None:
        self._judge(batch, "test")

    def configure_optimizers(self) -> Any:
        trained = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.job.lr, weight_decay=0.01)
        from frostline.config.recipe import CosineLr

        total = int(self.trainer.estimated_stepping_batches)
        factor = lr_factor(
            CosineLr(name="cosine", warmup_frac=0.1), total_steps=total, steps_per_epoch=1
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def usual_sweep(work: Workload, place: Place, givens: Givens) -> list[float]:
    """All jobs; returns the test accuracy of each."""
    quieten()
    if place.threads is not None:
        torch.set_num_threads(place.threads)
    return [_job(job, work, place, givens[key_of(job)]) for job in work.jobs]


def _job(job: Job, work: Workload, place: Place, given: Given) -> float:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        compose("train", [f"backbone={job.backbone}", f"freeze={job.freeze}", f"lr={job.lr}"])
    pl.seed_everything(job.seed, verbose=False)
    table, splits = open_table(place)
    head = build_head(
        given.features, len(table.classes), hidden=None, dropout=0.0, batch_norm=False,
        seed=job.seed,
    )  # fmt: skip
    geometry = given.geometry
    side = int(geometry.size_px / geometry.crop_pct)
    kinds = v2.InterpolationMode
    transform = v2.Compose(
        [
            v2.Resize(side, interpolation=kinds(geometry.interpolation)),
            v2.CenterCrop(geometry.size_px),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(given.mean, given.std),
        ]
    )
    augmented = transform
    if work.augment == "crop":
        source = v2.Resize(given.crops.size_px, interpolation=kinds(geometry.interpolation))
        square = v2.CenterCrop(given.crops.size_px)
        crops = [v2.RandomCrop(geometry.size_px), v2.RandomHorizontalFlip()]
        augmented = v2.Compose([source, square, *crops, *transform.transforms[2:]])
    sets = {
        name: Photos(table, rows, augmented if name == "train" else transform)
        for name, rows in splits.named().items()
    }
    size = work.batch_size
    train = DataLoader(sets["train"], batch_size=size, sampler=Order(len(sets["train"]), job.seed))
    logger = MLFlowLogger(EXPERIMENT, tracking_uri=place.store_uri)
    logger.log_hyperparams(vars(job))
    folder = place.folder / str(logger.run_id)
    best = ModelCheckpoint(folder, monitor="val/f1_macro", mode="max")
    trainer = pl.Trainer(
        accelerator="gpu" if place.device == "cuda" else "cpu", devices=1,
        max_epochs=work.epochs, logger=logger, callbacks=[best], default_root_dir=folder,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    module = UsualModule(load(given), given.frozen[job.freeze], head, job, len(table.classes))
    trainer.fit(module, train, DataLoader(sets["val"], batch_size=size))
    state = torch.load(best.best_model_path, weights_only=True)["state_dict"]
    module.load_state_dict(state)
    (figures,) = trainer.test(module, DataLoader(sets["test"], batch_size=size), verbose=False)
    return float(figures["test/acc_micro"])
