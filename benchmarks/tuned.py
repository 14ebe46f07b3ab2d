"""P1, a tuned loop: plain timm, as good as we can write it without keeping frozen outputs.

Correct freeze, frozen modules under no_grad, the fastest memory format (and where it is allowed,
precision) of each direction by a probe, images decoded once into memory for the whole sweep,
weights read once, normalisation by the batch, records once an epoch; all jobs in one process,
which keeps the memory that it frees.
"""

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.jobs import Job, Place, Workload, open_table
from benchmarks.plain import Givens, divided, key_of, load
from benchmarks.records import Records
from frostline.config.recipe import AdamW, CosineLr
from frostline.data.geometry import Geometry, square
from frostline.data.order import EpochSampler
from frostline.data.seeds import seed_epoch
from frostline.training.engine import prepare_process
from frostline.training.head import build_head
from frostline.training.learning_rates import lr_factor
from frostline.training.metrics import classification_metrics
from frostline.training.optim import build_optimizer

ADAMW = AdamW(name="adamw", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=1e-3)
COSINE = CosineLr(name="cosine", warmup_frac=0.1)
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
_REPEATS = 2


@dataclass(frozen=True)
class ComputeMode:
    """How one direction is computed.

    Attributes:
        layout: One of FORMATS.
        half: Whether in bfloat16.
    """

    layout: str
    half: bool


FastestModes = dict[tuple[str, str], tuple[ComputeMode, ComputeMode]]


class Tuned:
    """One sweep: what its jobs have in common is made once.

    Args:
        work: The sweep.
        place: Where it runs.
        givens: What it starts from.
        ways: What a probe found before; what is missing is tried out.
    """

    def __init__(
        self, work: Workload, place: Place, givens: Givens, ways: FastestModes | None = None
    ) -> None:
        prepare_process(place.threads)
        self.work, self.place, self.givens = work, place, givens
        self.table, self.splits = open_table(place)
        self.records = Records(place.store_uri)
        self.labels = torch.from_numpy(self.table.labels).long().to(place.device)
        self.models: dict[Any, nn.Module] = {}
        self.images: dict[Geometry, Tensor] = {}
        self.ways: FastestModes = dict(ways or {})
        self.loop_s: list[float] = []

    def decoded(self, geometry: Geometry) -> Tensor:
        """All images as squares: (N, 3, S, S) uint8."""
        if geometry not in self.images:

            def one(item: str) -> np.ndarray[Any, Any]:
                return square(self.table.open_image(item), geometry)

            with ThreadPoolExecutor(torch.get_num_threads()) as pool:
                stacked = np.stack(list(pool.map(one, self.table.items)))
            images = torch.from_numpy(stacked).permute(0, 3, 1, 2)
            self.images[geometry] = images.contiguous().to(self.place.device)
        return self.images[geometry]

    def parts(self, job: Job) -> tuple[nn.Module, nn.Sequential, nn.Sequential]:
        """The model, what of it is frozen, and what trains: the rest of it and the head."""
        given = self.givens[key_of(job)]
        if key_of(job) not in self.models:
            self.models[key_of(job)] = load(given)
        model = copy.deepcopy(self.models[key_of(job)]).to(self.place.device)
        prefix, suffix = divided(model, given.frozen[job.freeze])
        head = build_head(
            given.features, len(self.table.classes), hidden=None, dropout=0.0, batch_norm=False,
            seed=job.seed,
        ).to(self.place.device)  # fmt: skip
        return model, prefix, nn.Sequential(suffix, head)

    def job(self, job: Job) -> float:
        """Train one job.

        Returns:
            Its accuracy on the test split.
        """
        work, place, given = self.work, self.place, self.givens[key_of(job)]
        run_id = self.records.start(job, epochs=work.epochs)
        model, prefix, trained = self.parts(job)
        head = trained[-1]
        images = self.decoded(given.geometry)
        mean, std = (
            torch.tensor([255.0 * v for v in values], device=place.device).view(1, 3, 1, 1)
            for values in (given.mean, given.std)
        )
        forward, training = self.fastest(job, prefix, trained)
        prefix.to(memory_format=FORMATS[forward.layout])
        trained.to(memory_format=FORMATS[training.layout])
        prefix.eval()
        samplers = {
            split: EpochSampler(
                rows, batch_size=work.batch_size, seed=job.seed, n_views=1,
                training=split == "train",
            )
            for split, rows in self.splits.named().items()
        }  # fmt: skip
        labels = self.labels

        crops = self.decoded(given.crops) if work.augment == "crop" else None
        draws = torch.Generator().manual_seed(job.seed)

        def logits_of(rows: Any, *, augmented: bool = False) -> Tensor:
            if augmented and crops is not None:
                taken = random_crops(crops[torch.from_numpy(rows)], work.image_size, draws)
            else:
                taken = images[torch.from_numpy(rows)]
            batch = (taken.float() - mean) / std
            with torch.no_grad(), _cast(place.device, forward):
                handed = prefix(batch.contiguous(memory_format=FORMATS[forward.layout]))
            if handed.dim() == 4:
                handed = handed.contiguous(memory_format=FORMATS[training.layout])
            if not training.half:
                handed = handed.float()
            with _cast(place.device, training):
                logits: Tensor = trained(handed)
            return logits.float()

        def judged(split: str) -> dict[str, float]:
            trained.eval()
            with torch.inference_mode():
                batches = [(logits_of(b.rows), labels[b.rows]) for b in samplers[split]]
            logits, wanted = (torch.cat(values) for values in zip(*batches, strict=True))
            return classification_metrics(logits.cpu(), wanted.cpu())

        optimizer = build_optimizer(ADAMW, trained.parameters(), job.lr)
        steps = len(samplers["train"])
        factor = lr_factor(COSINE, total_steps=steps * work.epochs, steps_per_epoch=steps)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        best, best_state = -1.0, {}
        begun = time.perf_counter()
        for epoch in range(work.epochs):
            trained.train()
            seed_epoch(job.seed, epoch)
            samplers["train"].set_epoch(epoch)
            seen = torch.zeros((), device=place.device)
            for batch in samplers["train"]:
                logits = logits_of(batch.rows, augmented=True)
                loss = F.cross_entropy(logits, labels[batch.rows])
                torch.autograd.backward(loss)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                scheduler.step()
                seen += loss.detach()
            figures = {f"val/{name}": value for name, value in judged("val").items()}
            self.records.epoch(run_id, figures | {"train/loss": seen.item() / steps}, epoch)
            if figures["val/f1_macro"] > best:
                best = figures["val/f1_macro"]
                best_state = {k: v.clone() for k, v in trained.state_dict().items()}
        trained.load_state_dict(best_state)
        final = {f"val_best/{name}": value for name, value in judged("val").items()}
        final |= {f"test/{name}": value for name, value in judged("test").items()}
        self.loop_s.append(time.perf_counter() - begun)
        torch.save(
            {"model": model.state_dict(), "head": head.state_dict()}, place.folder / f"{run_id}.pt"
        )
        self.records.epoch(run_id, final, work.epochs)
        self.records.finish(run_id)
        return final["test/acc_micro"]

    def fastest(
        self, job: Job, prefix: nn.Module, trained: nn.Module
    ) -> tuple[ComputeMode, ComputeMode]:
        """The fastest way of each direction, tried on one batch and remembered for the sweep."""
        about = (job.backbone, job.freeze)
        if about not in self.ways:
            size = self.work.image_size
            batch = torch.randn(self.work.batch_size, 3, size, size, device=self.place.device)
            halves = (False, True) if self.work.allows_bf16 else (False,)
            ways = [ComputeMode(layout, half) for half in halves for layout in FORMATS]
            forward = min(ways, key=lambda way: self._forward_s(way, prefix, batch))
            with torch.no_grad(), _cast(self.place.device, forward):
                handed = prefix(batch).float()
            training = min(ways, key=lambda way: self._training_s(way, trained, handed))
            self.ways[about] = (forward, training)
        return self.ways[about]

    def _forward_s(self, way: ComputeMode, prefix: nn.Module, batch: Tensor) -> float:
        prefix.to(memory_format=FORMATS[way.layout]).eval()
        inputs = batch.contiguous(memory_format=FORMATS[way.layout])

        def once() -> None:
            with torch.no_grad(), _cast(self.place.device, way):
                prefix(inputs)

        return self._best_s(once)

    def _training_s(self, way: ComputeMode, trained: nn.Module, handed: Tensor) -> float:
        if handed.dim() != 4:
            return 1.0 if way.half or way.layout != "contiguous" else 0.0
        copied = copy.deepcopy(trained).to(memory_format=FORMATS[way.layout]).train()
        inputs = handed.contiguous(memory_format=FORMATS[way.layout])

        def once() -> None:
            with _cast(self.place.device, way):
                outputs = copied(inputs)
            torch.autograd.backward(outputs.float().square().mean())

        return self._best_s(once)

    def _best_s(self, once: Any) -> float:
        times = []
        for _ in range(_REPEATS + 1):
            begun = time.perf_counter()
            once()
            if self.place.device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begun)
        return min(times[1:])


def random_crops(images: Tensor, side: int, draws: torch.Generator) -> Tensor:
    """A crop and perhaps its mirror image of each image, the whole batch at once.

    Args:
        images: (B, C, R, R) uint8.
        side: S, of the crops.
        draws: On the CPU.

    Returns:
        (B, C, S, S) uint8.
    """
    batch, room = len(images), images.shape[-1] - side + 1
    tops, lefts = (torch.randint(0, room, (batch, 1), generator=draws) for _ in range(2))
    mirrored = torch.rand(batch, 1, generator=draws) < 0.5
    columns = torch.arange(side).expand(batch, side)
    columns = lefts + torch.where(mirrored, columns.flip(1), columns)
    rows = tops + torch.arange(side)
    first = torch.arange(batch).view(-1, 1, 1)
    picked = (each.to(images.device) for each in (first, rows.unsqueeze(2), columns.unsqueeze(1)))
    number, row, column = picked
    return images.permute(0, 2, 3, 1)[number, row, column].permute(0, 3, 1, 2)


def fastest_modes(work: Workload, place: Place, givens: Givens) -> FastestModes:
    """Try out every cell of a sweep; a loop remembers that for its machine, so it is not timed."""
    sweep = Tuned(work, place, givens)
    for job in work.jobs:
        _, prefix, trained = sweep.parts(job)
        sweep.fastest(job, prefix, trained)
    return sweep.ways


def tuned_sweep(
    work: Workload, place: Place, givens: Givens, ways: FastestModes
) -> tuple[list[float], float]:
    """All jobs.

    Returns:
        The test accuracy of each, and the seconds that their training loops took together.
    """
    sweep = Tuned(work, place, givens, ways)
    return [sweep.job(job) for job in work.jobs], sum(sweep.loop_s)


def _cast(device: str, way: ComputeMode) -> torch.autocast:
    return torch.autocast(device, dtype=torch.bfloat16, enabled=way.half)
