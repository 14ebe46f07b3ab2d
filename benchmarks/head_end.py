"""When the heads of `freeze=all` have trained enough: longer schedules, or the exact solution.

    OMP_NUM_THREADS=1 python -m benchmarks.head_end --folder FOLDER [--photographs FOLDER]

Every way trains on the same stored features (two views an image) and is judged on the same test
images. Seconds are of the processor, one thread, without computing the features or testing. The
curves of every run are kept in FOLDER; `--table` prints the table from them.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from torch import Tensor

from frostline.config.conf_files import CONF, STUDIES
from frostline.config.read import settings_of
from frostline.config.recipe import AdamW, ConstantLr, CosineLr
from frostline.data.image_datamodule import RowImages
from frostline.data.load import split_of
from frostline.data.order import BatchRows, EpochSampler
from frostline.data.seeds import derive_seed, seed_epoch
from frostline.features.compute import compute_outputs, prefix_of_images
from frostline.training.assembly import assemble
from frostline.training.engine import prepare_process
from frostline.training.head import build_head
from frostline.training.learning_rates import lr_factor
from frostline.training.metrics import stacked_metrics
from frostline.training.stacked_heads import StackedHeads, StackedOptimizer

EPOCHS, BATCH, VIEWS = 6, 32, 2
MAX_FACTOR = 16
GAIN = 0.01
LENGTHS = [EPOCHS * 2**doubling for doubling in range(5)]
# All grids of five rates that are judged lie within these seven.
RATES = [5e-4 * 10 ** (half / 2) for half in range(-2, 5)]
ADAMW = AdamW(name="adamw", weight_decay=0.01, layer_decay=1.0, head_lr_factor=1.0, lr_center=5e-4)
SETS: dict[str, tuple[str, ...]] = {
    "leaves200": ("data.n_images=200", "data.test_images=1000"),
    "leaves1000": ("data.n_images=1000", "data.test_images=1000"),
    "leaves5000": ("data.n_images=5000", "data.test_images=1000"),
    "field300": (
        "data.n_images=300", "data.test_images=1000", "data.background=field", "data.draw_seed=1",
    ),
    "two": ("data.n_images=200", "data.test_images=1000", "data.n_species=1",
            "data.n_conditions=2"),
    "noisy": ("data.n_images=1000", "data.test_images=1000"),
    "photographs": ("data=folder", "data.path=FOLDER/photographs", "data.test_frac=0.4"),
    "symbols": ("data=folder", "data.path=FOLDER/symbols"),
    "hundred": (),
}  # fmt: skip
EXACT: dict[str, dict[str, Any]] = {
    "exact": {"standardised": False, "dtype": torch.float32, "tolerance": 1e-4},
    "exact_tight": {"standardised": False, "dtype": torch.float32, "tolerance": 1e-5},
    "exact_standardised": {"standardised": True, "dtype": torch.float32, "tolerance": 1e-4},
    "exact_float64": {"standardised": False, "dtype": torch.float64, "tolerance": 1e-5},
}
NOISY_FRAC = 0.3  # of the labels of `noisy`, drawn anew in training and validation
L2 = [10 ** (1 - half / 2) for half in range(13)]  # the path: 10 to 1e-5


def goes_on(best_losses: Sequence[float], *, max_factor: int = MAX_FACTOR) -> bool:
    """Whether heads should be trained anew over twice as many epochs.

    Args:
        best_losses: The lowest validation loss of any candidate in any epoch, for the schedule of
            `epochs`, of twice as many, of four times as many and so on, as far as trained; a
            length at which all diverged is infinite.
        max_factor: The longest schedule is so many times `epochs`.

    Returns:
        True while the last doubling lowered the loss by more than `GAIN` of what it was, and
        another one is allowed.
    """
    if 2 ** len(best_losses) > max_factor:
        return False
    if len(best_losses) < 2:
        return True
    before, last = best_losses[-2:]
    return last < before * (1 - GAIN)


@dataclass(frozen=True)
class Features:
    """The stored features of one data set.

    Attributes:
        values: (N, views, F) float32.
        labels: (N) int64.
        split: From a seed to the rows of training, validation and test.
    """

    values: Tensor
    labels: np.ndarray[Any, Any]
    split: Callable[[int], dict[str, np.ndarray[Any, Any]]]

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1


def features_of(name: str, size_px: int, folder: Path, backbone: str) -> Features:
    """Compute the features of a data set, or read them if that was done before."""
    if name == "hundred":
        return _hundred()
    words = [word.replace("FOLDER", str(folder)) for word in SETS[name]]
    fixed = [f"backbone={backbone}", f"image_size={size_px}", "freeze=all", "lr=5e-4"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = settings_of(compose("train", [*fixed, "trainer.threads=1", *words]))
    parts = assemble(settings, lambda **_: None)
    own = "leaves1000" if name == "noisy" else name
    file = folder / f"features_{own}_{size_px}.pt"
    if not file.exists():
        data = parts.data
        rows = np.arange(len(parts.table.labels))
        images = RowImages(data.pixels(data.evaluation), parts.table.labels)
        run = prefix_of_images(data.preprocess, parts.cut.prefix)
        batches = [
            BatchRows(some, np.full(len(some), view))
            for view in range(VIEWS)
            for some in np.array_split(rows, math.ceil(len(rows) / 64))
        ]
        outputs = torch.cat(
            list(compute_outputs(run, images, batches, accelerator="cpu", precision="32-true"))
        )
        torch.save(outputs.view(VIEWS, len(rows), -1).transpose(0, 1).contiguous(), file)

    def split(seed: int) -> dict[str, np.ndarray[Any, Any]]:
        return dict(split_of(parts.table, settings.data, seed=seed).named())

    return Features(torch.load(file), parts.table.labels, split)


def _hundred() -> Features:
    """A hundred classes, five images each to train on and two to validate: drawn, not images."""
    rng = np.random.default_rng(0)
    classes, each, width, rank = 100, 27, 1280, 60
    basis = rng.normal(size=(rank, width)) / math.sqrt(rank)
    labels = np.repeat(np.arange(classes), each)
    latent = rng.normal(size=(classes, rank))[labels] + 1.3 * rng.normal(size=(len(labels), rank))
    views = [latent + 0.3 * rng.normal(size=latent.shape) for _ in range(VIEWS)]
    values = np.stack([np.maximum(0, 0.5 * view @ basis) for view in views], axis=1)

    def split(seed: int) -> dict[str, np.ndarray[Any, Any]]:
        drawn = np.random.default_rng(seed)
        order = np.stack([drawn.permutation(each) + each * label for label in range(classes)])
        parts = {"train": order[:, :5], "val": order[:, 5:7], "test": order[:, 7:]}
        return {name: np.sort(rows.ravel()) for name, rows in parts.items()}

    return Features(torch.from_numpy(values).float(), labels, split)


@dataclass(frozen=True)
class Case:
    """One data set split by one seed.

    Attributes:
        features: All of it.
        labels: (N) int64, of which those to learn from may be noisy.
        rows: Of training, validation and test.
        seed: Of the split, the order and the head.
        hidden: Units of the hidden layer; None for a linear head.
    """

    features: Features
    labels: Tensor
    rows: dict[str, np.ndarray[Any, Any]]
    seed: int
    hidden: int | None

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """Features (n, F), view 0, and labels of a part."""
        rows = torch.from_numpy(self.rows[name])
        return self.features.values[rows, 0], self.labels[rows]


def case_of(name: str, features: Features, seed: int, hidden: int | None) -> Case:
    """Split a data set."""
    rows, labels = features.split(seed), features.labels.copy()
    if name == "noisy":
        drawn = np.random.default_rng(derive_seed(seed, "noise"))
        learnt = np.concatenate([rows["train"], rows["val"]])
        wrong = drawn.choice(learnt, round(NOISY_FRAC * len(learnt)), replace=False)
        labels[wrong] = drawn.integers(0, features.classes, len(wrong))
    return Case(features, torch.from_numpy(labels), rows, seed, hidden)


def train(case: Case, epochs: int, spec: CosineLr | ConstantLr) -> dict[str, Any]:
    """Train a head for each of `RATES`, all to the end.

    Returns:
        `seconds`, and (epochs, rates) lists `val_loss`, `val_f1`, `test_acc`, `test_f1`.
    """
    begun_s, testing_s = time.process_time(), 0.0
    mlp = case.hidden is not None
    head = build_head(
        case.features.values.shape[2], case.features.classes, hidden=case.hidden,
        dropout=0.5 if mlp else 0.0, batch_norm=False, seed=case.seed,
    )  # fmt: skip
    heads = StackedHeads([head] * len(RATES))
    optimizer = StackedOptimizer(heads, [ADAMW] * len(RATES))
    sampler = EpochSampler(
        case.rows["train"], batch_size=BATCH, seed=case.seed, n_views=VIEWS, training=True
    )
    factor = lr_factor(spec, total_steps=len(sampler) * epochs, steps_per_epoch=len(sampler))
    curves: dict[str, Any] = {"val_loss": [], "val_f1": [], "test_acc": [], "test_f1": []}
    (held_out, wanted), (test, test_wanted) = case.part("val"), case.part("test")
    step = 0
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        seed_epoch(case.seed, epoch)
        for rows, views in sampler:
            index, which = torch.from_numpy(rows), torch.from_numpy(views)
            logits = heads.logits(case.features.values[index, which], training=True)
            labels = case.labels[index].repeat(len(RATES))
            loss = F.cross_entropy(logits.flatten(0, 1), labels) * len(RATES)
            torch.autograd.backward(loss)
            optimizer.step([rate * factor(step) for rate in RATES])
            step += 1
        with torch.inference_mode():
            figures = stacked_metrics(heads.logits(held_out, training=False), wanted)
            curves["val_loss"].append(figures["loss"].tolist())
            curves["val_f1"].append(figures["f1_macro"].tolist())
            paused_s = time.process_time()
            figures = stacked_metrics(heads.logits(test, training=False), test_wanted)
            curves["test_acc"].append(figures["acc_micro"].tolist())
            curves["test_f1"].append(figures["f1_macro"].tolist())
            testing_s += time.process_time() - paused_s
    curves["seconds"] = time.process_time() - begun_s - testing_s
    return curves


def solve(
    case: Case, *, standardised: bool, dtype: torch.dtype, tolerance: float
) -> dict[str, Any]:
    """Solve the linear head exactly along the path of L2, by L-BFGS, until validation gets worse.

    The solution lies in the span of the training features, in which it is looked for where that
    has fewer dimensions.

    Args:
        case: What is learnt; its head is linear.
        standardised: Whether features are divided by their standard deviation.
        dtype: In which is computed.
        tolerance: L-BFGS ends at such a gradient, or at steps a hundredth of that.

    Returns:
        `seconds`, and one value for each L2 that was tried, as `train` does.
    """
    begun_s, testing_s = time.process_time(), 0.0
    rows = torch.from_numpy(case.rows["train"])
    inputs = case.features.values[rows].flatten(0, 1).to(dtype)
    labels = case.labels[rows].repeat_interleave(VIEWS)
    mean = inputs.mean(dim=0)
    scale = inputs.std(dim=0).clamp_min(1e-6) if standardised else torch.ones_like(mean)
    inputs = (inputs - mean) / scale
    if len(inputs) < inputs.shape[1]:
        span: Tensor = torch.linalg.qr(inputs.T)[0]
    else:
        span = torch.eye(inputs.shape[1], dtype=dtype)
    inputs = inputs @ span

    def projected(values: Tensor) -> Tensor:
        return ((values.to(dtype) - mean) / scale) @ span

    (held_out, wanted), (test, test_wanted) = case.part("val"), case.part("test")
    held_out = projected(held_out)
    classes = case.features.classes
    weight = torch.zeros(classes, inputs.shape[1], dtype=dtype, requires_grad=True)
    bias = torch.zeros(classes, dtype=dtype, requires_grad=True)
    curves: dict[str, Any] = {"val_loss": [], "val_f1": [], "test_acc": [], "test_f1": []}
    calls = 0
    for penalty in L2:
        solver = torch.optim.LBFGS(
            [weight, bias], max_iter=300, history_size=20, tolerance_grad=tolerance,
            tolerance_change=tolerance / 100, line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure(penalty: float = penalty, solver: torch.optim.LBFGS = solver) -> float:
            nonlocal calls
            calls += 1
            solver.zero_grad()
            fit = F.cross_entropy(F.linear(inputs, weight, bias), labels)
            objective = fit + 0.5 * penalty * weight.square().sum()
            torch.autograd.backward(objective)
            return objective.item()

        solver.step(closure)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            figures = stacked_metrics(F.linear(held_out, weight, bias)[None], wanted)
            curves["val_loss"].append(figures["loss"].item())
            curves["val_f1"].append(figures["f1_macro"].item())
            paused_s = time.process_time()
            figures = stacked_metrics(F.linear(projected(test), weight, bias)[None], test_wanted)
            curves["test_acc"].append(figures["acc_micro"].item())
            curves["test_f1"].append(figures["f1_macro"].item())
            testing_s += time.process_time() - paused_s
        losses = curves["val_loss"]
        if len(losses) > 2 and min(losses[-2:]) > min(losses):
            break
    curves["seconds"] = time.process_time() - begun_s - testing_s
    return curves | {"calls": calls}


def run_case(case: Case) -> dict[str, Any]:
    """Train one case in every way."""
    cosine = CosineLr(name="cosine", warmup_frac=0.1)
    result: dict[str, Any] = {
        "images": {name: len(rows) for name, rows in case.rows.items()},
        "classes": case.features.classes,
        "cosine": {str(epochs): train(case, epochs, cosine) for epochs in LENGTHS},
        "constant": train(case, LENGTHS[-1], ConstantLr(name="constant", warmup_frac=0.0)),
    }
    if case.hidden is None:
        result |= {name: solve(case, **how) for name, how in EXACT.items()}
    return result


@dataclass(frozen=True)
class End:
    """The head that one way ends with.

    Attributes:
        val_loss: Its validation loss.
        test_acc: Share of right test images.
        test_f1: Macro F1 on them.
        seconds: Of the processor, for all that was trained on the way.
        epochs: Trained in all, each of them by all heads together; for the exact solution, values
            of L2.
        rate: Its place in `RATES`, or of its L2.
    """

    val_loss: float
    test_acc: float
    test_f1: float
    seconds: float
    epochs: int
    rate: int


Result = dict[str, Any]
Way = Callable[[Result], End]
ALL = range(len(RATES))


def end_of(
    curves: Result, rates: Sequence[int] = ALL, *, until: int | None = None, by_f1: bool = False
) -> End:
    """The rate with the lowest validation loss, at that epoch or at the one of its best F1.

    Args:
        curves: As `train` returns them.
        rates: The candidates, places in `RATES`.
        until: Only the first so many epochs.
        by_f1: Which epoch of the chosen rate.
    """
    loss = np.array(curves["val_loss"])[:until][:, list(rates)]
    loss = np.where(np.isfinite(loss), loss, np.inf)
    epoch, place = (int(v) for v in np.unravel_index(loss.argmin(), loss.shape))
    rate = rates[place]
    if by_f1:
        epoch = int(np.array(curves["val_f1"])[:until, rate].argmax())
    share = len(loss) / len(curves["val_loss"])
    return End(
        curves["val_loss"][epoch][rate], curves["test_acc"][epoch][rate],
        curves["test_f1"][epoch][rate], share * curves["seconds"], len(loss), rate,
    )  # fmt: skip


def fixed(epochs: int, rates: Sequence[int] = ALL) -> Way:
    """One schedule of a given length."""
    return lambda result: end_of(result["cosine"][str(epochs)], rates)


def doubled(
    gain: float = GAIN, rates: Sequence[int] = ALL, *, by_f1: bool = False, step: int = 1
) -> Way:
    """Schedules of `EPOCHS`, twice as many and so on, while each lowers the loss by `gain`.

    Args:
        gain: Share of the loss.
        rates: The candidates.
        by_f1: As in `end_of`.
        step: 2: four times as many epochs instead of twice.
    """

    def way(result: Result) -> End:
        tried: list[tuple[float, End]] = []
        for epochs in LENGTHS[::step]:
            curves = result["cosine"][str(epochs)]
            tried.append((end_of(curves, rates).val_loss, end_of(curves, rates, by_f1=by_f1)))
            if len(tried) > 1 and not tried[-1][0] < tried[-2][0] * (1 - gain):
                break
        best = min(tried, key=lambda each: each[0])[1]
        seconds, epochs = (
            sum(each.seconds for _, each in tried),
            sum(each.epochs for _, each in tried),
        )
        return End(best.val_loss, best.test_acc, best.test_f1, seconds, epochs, best.rate)

    return way


def constant(patience_epochs: int, rates: Sequence[int] = ALL) -> Way:
    """A constant rate until no candidate has a new lowest validation loss for so many epochs."""

    def way(result: Result) -> End:
        lowest, since, until = math.inf, 0, 0
        for losses in result["constant"]["val_loss"]:
            until += 1
            now = min(losses[rate] for rate in rates)
            lowest, since = (now, 0) if now < lowest else (lowest, since + 1)
            if since >= patience_epochs:
                break
        return end_of(result["constant"], rates, until=until)

    return way


def exact(name: str) -> Way:
    """The exact solution with the L2 of the lowest validation loss."""

    def way(result: Result) -> End:
        curves = result[name]
        place = int(np.argmin(curves["val_loss"]))
        return End(
            curves["val_loss"][place], curves["test_acc"][place], curves["test_f1"][place],
            curves["seconds"], len(curves["val_loss"]), place,
        )  # fmt: skip

    return way


_FIVE = {"5e-4": range(5), "1.6e-3": range(1, 6), "5e-3": range(2, 7)}
WAYS: dict[str, Way] = {
    **{f"{epochs} epochs": fixed(epochs) for epochs in LENGTHS},
    **{f"doubled while 1 % better, grid of 5 around {c}": doubled(0.01, g)
       for c, g in _FIVE.items()},
    "doubled while 0.3 % better": doubled(0.003),
    "doubled while 1 % better": doubled(0.01),
    "doubled while 3 % better": doubled(0.03),
    "doubled while 1 % better, its epoch by macro F1": doubled(0.01, by_f1=True),
    "four times as long while 1 % better": doubled(0.01, step=2),
    "constant rate, patience 6": constant(6),
    "constant rate, patience 12": constant(12),
    "L-BFGS": exact("exact"),
    "L-BFGS, gradient below 1e-5": exact("exact_tight"),
    "L-BFGS, features standardised": exact("exact_standardised"),
    "L-BFGS, float64, gradient below 1e-5": exact("exact_float64"),
}  # fmt: skip
IN_SHORT = ("6 epochs", "96 epochs", "doubled while 1 % better", "constant rate, patience 12",
            "L-BFGS")  # fmt: skip


def label_of(result: Result) -> str:
    """The data set, image size and head of a result."""
    head = f", mlp ({result['hidden']} units)" if result["hidden"] else ""
    size = "" if result["set"] == "hundred" else f", {result['size']} px"
    return f"{result['set']}{size}{head}"


def by_label(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results of several seeds, by what they share."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(label_of(result), []).append(result)
    return groups


def mean_and_se(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error; NaN for the error of a single value."""
    if len(values) < 2:
        return values[0], math.nan
    return statistics.mean(values), statistics.stdev(values) / math.sqrt(len(values))


def overall(groups: dict[str, list[Result]]) -> Iterator[str]:
    """One row for each way, over all data sets with a linear head: every set counts the same."""
    base = WAYS["6 epochs"]
    yield (
        "| way | test accuracy | against 6 epochs | macro F1 | validation loss | epochs | "
        "processor seconds |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, way in WAYS.items():
        gains: list[float] = []
        errors: list[float] = []
        rows: list[list[float]] = []
        for results in groups.values():
            ends = [way(result) for result in results]
            pairs = [
                100 * (end.test_acc - base(result).test_acc)
                for end, result in zip(ends, results, strict=True)
            ]
            gain, error = mean_and_se(pairs)
            gains.append(gain)
            if math.isfinite(error):
                errors.append(error)
            kept = [[e.test_acc, e.test_f1, e.val_loss, e.epochs, e.seconds] for e in ends]
            rows.append(np.mean(kept, axis=0).tolist())
        acc, f1, loss, epochs, seconds = np.mean(rows, axis=0)
        se = math.sqrt(sum(error**2 for error in errors)) / max(1, len(errors))
        unit = " values of L2" if "L-BFGS" in name else ""
        yield (
            f"| {name} | {100 * acc:.1f} | {statistics.mean(gains):+.1f} ± {se:.1f} | "
            f"{100 * f1:.1f} | {loss:.3f} | {epochs:.0f}{unit} | {seconds:.1f} |"
        )


def each_set(groups: dict[str, list[Result]]) -> Iterator[str]:
    """One row for each data set, with what the main ways give there."""
    yield (
        "| data, size, head | classes | images to train, validate, test | seeds | "
        + " | ".join(f"{name}: accuracy, F1, s" for name in IN_SHORT)
        + " |"
    )
    yield "|---" * (4 + len(IN_SHORT)) + "|"
    for label, results in groups.items():
        images = ", ".join(f"{n:,}" for n in results[0]["images"].values())
        cells = []
        for name in IN_SHORT:
            if "L-BFGS" in name and results[0]["hidden"]:
                cells.append("-")
                continue
            ends = [WAYS[name](result) for result in results]
            acc, se = mean_and_se([100 * end.test_acc for end in ends])
            f1 = 100 * statistics.mean(end.test_f1 for end in ends)
            seconds = statistics.mean(end.seconds for end in ends)
            spread = f" ± {se:.1f}" if math.isfinite(se) else ""
            cells.append(f"{acc:.1f}{spread}, {f1:.1f}, {seconds:.1f}")
        yield (
            f"| {label} | {results[0]['classes']} | {images} | {len(results)} | "
            + " | ".join([*cells, ""]).rstrip()
        )


def chosen_rates(results: Sequence[Result]) -> Iterator[str]:
    """How often each rate of the seven is the best, by the length of the schedule."""
    yield "| epochs | " + " | ".join(f"{rate:.1e}" for rate in RATES) + " |"
    yield "|---" * (1 + len(RATES)) + "|"
    for epochs in LENGTHS:
        chosen = [fixed(epochs)(result).rate for result in results]
        yield f"| {epochs} | " + " | ".join(str(chosen.count(rate)) for rate in ALL) + " |"
    chosen = [doubled()(result).rate for result in results]
    yield "| doubled | " + " | ".join(str(chosen.count(rate)) for rate in ALL) + " |"


def doublings(results: Sequence[Result]) -> Iterator[str]:
    """How long the doubled schedules became."""
    longest = []
    for result in results:
        losses: list[float] = []
        for epochs in LENGTHS:
            losses.append(fixed(epochs)(result).val_loss)
            if not goes_on(losses):
                break
        longest.append(LENGTHS[len(losses) - 1])
    yield "| longest schedule trained | " + " | ".join(str(epochs) for epochs in LENGTHS) + " |"
    yield "|---" * (1 + len(LENGTHS)) + "|"
    yield "| runs | " + " | ".join(str(longest.count(epochs)) for epochs in LENGTHS) + " |"


def summary(results: Sequence[Result]) -> str:
    """All tables as Markdown."""
    groups = by_label(results)
    linear = {label: group for label, group in groups.items() if not group[0]["hidden"]}
    parts = [overall(linear), each_set(groups), chosen_rates(results), doublings(results)]
    return "\n\n".join("\n".join(part) for part in parts)


def condensed(result: Result) -> Result:
    """What is kept of a run in the repository: what each way ends with."""
    ways = {
        name: [round(value, 4) for value in vars(way(result)).values()]
        for name, way in WAYS.items()
        if not (result["hidden"] and "L-BFGS" in name)
    }
    kept = ("set", "size", "hidden", "seed", "images", "classes")
    return {key: result[key] for key in kept} | {"ways": ways}


def make_data(names: Sequence[str], folder: Path, stamps: Path | None) -> None:
    """Draw or lay out the images that are read from files, where they are missing.

    Raises:
        SystemExit: If the photographs are wanted and neither there nor in `stamps`.
    """
    calls: list[list[str]] = []
    if "photographs" in names and not (folder / "photographs").is_dir():
        if stamps is None:
            raise SystemExit("give --stamps (see experiments/photographs.py), or other --sets")
        calls.append(["photographs.py", str(stamps), str(folder / "photographs")])
    if "symbols" in names and not (folder / "symbols").is_dir():
        for seed, (split, count) in enumerate({"train": 30, "test": 60}.items(), start=1):
            target = str(folder / "symbols" / split)
            calls.append(["symbols.py", target, "--per-class", str(count), "--seed", str(seed)])
    for script, *arguments in calls:
        subprocess.run([sys.executable, str(STUDIES / script), *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="images, features and curves")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[64], help="in pixels")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, help="units of a hidden layer; else a linear head")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--stamps", type=Path, help="the unpacked tuxpaint-stamps-default")
    parser.add_argument("--table", action="store_true", help="only the tables of what was run")
    parser.add_argument("--out", type=Path, help="JSON: what each way ends with in each run")
    options = parser.parse_args()
    prepare_process(1)
    curves: Path = options.folder / "curves"
    curves.mkdir(parents=True, exist_ok=True)
    if not options.table:
        make_data(options.sets, options.folder, options.stamps)
    for name in [] if options.table else options.sets:
        for size in options.sizes:
            features = features_of(name, size, options.folder, options.backbone)
            for seed in range(options.seeds):
                file = curves / f"{name}_{size}_{options.hidden or 0}_{seed}.json"
                if file.exists():
                    continue
                result = run_case(case_of(name, features, seed, options.hidden))
                about = {"set": name, "size": size, "seed": seed, "hidden": options.hidden}
                file.write_text(json.dumps(about | result))
                print(file.stem, file=sys.stderr, flush=True)
    results = [json.loads(file.read_text()) for file in sorted(curves.glob("*.json"))]
    print(summary(results))
    if options.out is not None:
        options.out.write_text(json.dumps([condensed(r) for r in results]) + "\n")


if __name__ == "__main__":
    main()
