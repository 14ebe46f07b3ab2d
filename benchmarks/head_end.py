"""When the heads of `freeze=all` have trained enough: longer schedules, or the exact solution.

    python -m benchmarks.head_end run --folder FOLDER --stamps STAMPS [--sets ...] [--seeds 0 1 2]
    python -m benchmarks.head_end table

`run` trains what is missing in benchmarks/results/head_end.jsonl, `table` prints what is there.
Every way works on the same stored features and is judged on the same test images. Seconds are of
the processor, one thread, without computing the features or testing.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.head_end_table import (
    LENGTHS,
    RESULTS,
    SOLVED,
    STANDARDISED,
    Curves,
    ends_of,
    print_tables,
    read_results,
)
from benchmarks.regret_data import SETS, make_sets, settings_for
from benchmarks.regret_rows import Job
from frostline.config.recipe import AdamW, ConstantLr, CosineLr
from frostline.data.image_datamodule import RowImages
from frostline.data.load import split_of
from frostline.data.order import BatchRows, EpochSampler
from frostline.data.seeds import seed_epoch
from frostline.features.compute import compute_outputs, views_of_images
from frostline.training.assembly import assemble
from frostline.training.engine import prepare_process
from frostline.training.exact_head import solve_path
from frostline.training.head import build_head
from frostline.training.learning_rates import lr_factor
from frostline.training.metrics import stacked_metrics
from frostline.training.stacked_heads import StackedHeads, StackedOptimizer

BATCH, VIEWS = 32, 2
RATES = [5e-4 * 10 ** (half / 2) for half in range(-2, 5)]
ADAMW = AdamW(name="adamw", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=5e-4)


@dataclass(frozen=True)
class Case:
    """The stored features of one data set, split by one seed.

    Attributes:
        features: (N, views, F) float32.
        labels: (N) int64.
        rows: Of training, validation and test.
        seed: Of the split, the order and the head.
    """

    features: Tensor
    labels: Tensor
    rows: dict[str, np.ndarray[Any, Any]]
    seed: int

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Features (n, F), view 0, and labels of a part."""
        rows = torch.from_numpy(self.rows[name])
        return self.features[rows, 0], self.labels[rows]


def case_of(name: str, seed: int, folder: Path) -> Case:
    """Split a data set; its features are computed once and kept in the folder."""
    parts = assemble(settings_for(Job(name, "all", 1.0, 1.0, 6, seed, 0), folder), lambda **_: None)
    file = folder / f"features_{name}.pt"
    if not file.exists():
        data = parts.data
        rows = np.arange(len(parts.table.labels))
        images = RowImages(data.pixels(data.evaluation), parts.table.labels)
        inputs = views_of_images(data.preprocess, images, "cpu")
        batches = [
            BatchRows(some, np.full(len(some), view))
            for view in range(VIEWS)
            for some in np.array_split(rows, math.ceil(len(rows) / 64))
        ]
        outputs = torch.cat(
            list(
                compute_outputs(
                    parts.cut.prefix, inputs, batches, accelerator="cpu", precision="32-true"
                )
            )
        )
        torch.save(outputs.view(VIEWS, len(rows), -1).transpose(0, 1).contiguous(), file)
    split = dict(split_of(parts.table, parts.settings.data, seed=seed).named())
    return Case(torch.load(file), torch.from_numpy(parts.table.labels), split, seed)


def train(case: Case, epochs: int, spec: CosineLr | ConstantLr) -> Curves:
    """Train a head for each of `RATES`, all to the end.

    Returns:
        One row for each epoch, in each one value a rate.
    """
    head = build_head(
        case.features.shape[2], case.classes, hidden=None, dropout=0.0, batch_norm=False,
        seed=case.seed,
    )  # fmt: skip
    heads = StackedHeads([head] * len(RATES))
    optimizer = StackedOptimizer(heads, [ADAMW] * len(RATES))
    sampler = EpochSampler(
        case.rows["train"], batch_size=BATCH, seed=case.seed, n_views=VIEWS, training=True
    )
    factor = lr_factor(spec, total_steps=len(sampler) * epochs, steps_per_epoch=len(sampler))
    judge, step = _Judge(case), 0
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        seed_epoch(case.seed, epoch)
        for rows, views in sampler:
            index, which = torch.from_numpy(rows), torch.from_numpy(views)
            logits = heads.logits(case.features[index, which], training=True)
            labels = case.labels[index].repeat(len(RATES))
            loss = F.cross_entropy(logits.flatten(0, 1), labels) * len(RATES)
            torch.autograd.backward(loss)
            optimizer.step([rate * factor(step) for rate in RATES])
            step += 1
        judge.keep(lambda features: heads.logits(features, training=False))
    return judge.curves()


def solve(case: Case, *, standardised: bool) -> Curves:
    """Solve the linear head as the product does, for a path of penalties.

    Args:
        case: What is learnt.
        standardised: Whether each feature is divided by its standard deviation.

    Returns:
        One row for each penalty.
    """
    judge = _Judge(case)
    rows = torch.from_numpy(case.rows["train"])
    inputs = case.features[rows].flatten(0, 1)
    scale = inputs.std(dim=0).clamp_min(1e-6) if standardised else torch.ones(inputs.shape[1])
    held_out, wanted = case.part("val")
    solutions = solve_path(
        inputs / scale, case.labels[rows].repeat_interleave(VIEWS), held_out / scale, wanted,
        classes=case.classes, label_smoothing=0.0, class_weights=None,
    )  # fmt: skip
    for each in solutions:
        judge.keep(lambda features, s=each: F.linear(features / scale, s.weight, s.bias)[None])  # type: ignore[misc]
    return judge.curves()


class _Judge:
    """Scores heads on validation and test images; the time of the latter does not count."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._kept: dict[str, list[list[float]]] = {"val_loss": [], "test_acc": [], "test_f1": []}
        self._begun_s, self._testing_s = time.process_time(), 0.0

    @torch.inference_mode()
    def keep(self, logits: Callable[[Tensor], Tensor]) -> None:
        """Keep a row; `logits` maps features (n, F) to (heads, n, K)."""
        features, labels = self._case.part("val")
        self._kept["val_loss"].append(stacked_metrics(logits(features), labels)["loss"].tolist())
        paused_s = time.process_time()
        features, labels = self._case.part("test")
        figures = stacked_metrics(logits(features), labels)
        self._kept["test_acc"].append(figures["acc_micro"].tolist())
        self._kept["test_f1"].append(figures["f1_macro"].tolist())
        self._testing_s += time.process_time() - paused_s

    def curves(self) -> Curves:
        """All that was kept."""
        seconds = time.process_time() - self._begun_s - self._testing_s
        return Curves(**self._kept, seconds=seconds)


def run(sets: Sequence[str], seeds: Sequence[int], folder: Path, stamps: Path | None) -> None:
    """Run what is missing in the results."""
    prepare_process(1)
    make_sets(sets, folder, stamps)
    done = {(each["data"], each["seed"]) for each in read_results()}
    for name in sets:
        for seed in seeds:
            if (name, seed) in done:
                continue
            case = case_of(name, seed, folder)
            cosine = CosineLr(name="cosine", warmup_frac=0.1)
            ends = ends_of(
                cosine={epochs: train(case, epochs, cosine) for epochs in LENGTHS},
                constant=train(case, LENGTHS[-1], ConstantLr(name="constant", warmup_frac=0.0)),
                solved={
                    SOLVED: solve(case, standardised=False),
                    STANDARDISED: solve(case, standardised=True),
                },
            )
            images = {part: len(rows) for part, rows in case.rows.items()}
            line = {"data": name, "seed": seed, "images": images, "ways": ends}
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(name, seed, flush=True)


def main() -> None:
    """Run or print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--folder", type=Path, default=Path("regret-data"), help="of the images")
    parser.add_argument("--stamps", type=Path, help="see experiments/photographs.py")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    if options.what == "table":
        print_tables(read_results())
    else:
        run(options.sets, options.seeds, options.folder, options.stamps)


if __name__ == "__main__":
    main()
