"""Made-up runs with known differences, and a source that holds their predictions in memory."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from frostline.stats.predictions import Predictions, value_and_influence
from frostline.tracking.records import RunRecord

CLASSES = ["maize_healthy", "maize_rust", "potato_blight", "potato_healthy", "tomato_mildew"]


@dataclass
class MemorySource:
    """Predictions and curves by run id; records what was read."""

    held: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def curve(self, run_id, metric):
        return self.curves.get((run_id, metric), [])

    def predictions(self, run_id, split):
        self.asked.append((run_id, split))
        return self.held.get((run_id, split))

    def damage(self, run):
        return None

    def classes(self, run_id):
        return CLASSES

    def text(self, run_id, path):
        return None


def make_predictions(accuracy, *, seed, split, effect_seed, n_leaves=80, photos=3):
    """Predictions right with about this probability; difficulty belongs to the leaf."""
    leaves = np.random.default_rng([seed, split == "test"]).permutation(4 * n_leaves)[:n_leaves]
    items = np.array([f"leaf{leaf:04d}/{k}.png" for leaf in leaves for k in range(photos)])
    groups = np.array([item.split("/")[0] for item in items])
    labels = np.repeat(leaves % len(CLASSES), photos)
    hard = np.repeat(np.random.default_rng(99).normal(0, 0.8, 4 * n_leaves)[leaves], photos)
    own = np.random.default_rng(effect_seed)
    right = own.normal(0, 1, len(items)) + hard < 1.28 * np.sqrt(2) * _probit(accuracy)
    wrong = (labels + own.integers(1, len(CLASSES), len(items))) % len(CLASSES)
    probs = np.full((len(items), len(CLASSES)), 0.05, np.float16)
    probs[np.arange(len(items)), np.where(right, labels, wrong)] = 0.8
    order = np.argsort(items)
    return Predictions(items[order], groups[order], labels[order].astype(np.int64), probs[order])


def _probit(share):
    from scipy import stats

    return stats.norm.ppf(share) / 1.4


def metrics_of(predictions, prefix):
    names = ("acc_micro", "acc_macro", "f1_macro")
    return {f"{prefix}/{name}": value_and_influence(predictions, name)[0] for name in names}


def make_sweep(
    cells,
    *,
    seeds=3,
    status="FINISHED",
    with_predictions=True,
    data="plants",
    data_source="folder",
    n_leaves=80,
    tag="",
    epochs=6,
):
    """Runs and their source.

    Args:
        cells: (params, accuracy, seconds, trainable parameters) each.
    """
    source = MemorySource()
    records = []
    for number, (params, accuracy, train_s, trainable) in enumerate(cells):
        for seed in range(seeds):
            run_id = f"{tag}run{number:03d}{seed:02d}".ljust(32, "0")
            metrics = {"time/train_s": train_s * (1 + 0.03 * seed)}
            for split, prefix in (("val", "val_best"), ("test", "test")):
                made = make_predictions(
                    accuracy,
                    seed=seed,
                    split=split,
                    effect_seed=[number, seed, split == "val"],
                    n_leaves=n_leaves,
                )
                metrics |= metrics_of(made, prefix)
                if with_predictions:
                    source.held[run_id, split] = made
            for name, start, end in (("train/loss", 1.6, 0.2), ("val/loss", 1.5, 0.35)):
                source.curves[run_id, name] = [
                    (e, end + (start - end) * np.exp(-e / (2 + 0.2 * seed))) for e in range(epochs)
                ]
            for name in ("acc_micro", "acc_macro", "f1_macro"):
                best = metrics[f"val_best/{name}"]
                source.curves[run_id, f"val/{name}"] = [
                    (e, best * (1 - 0.6 * np.exp(-e / (1.5 + 0.3 * seed)))) for e in range(epochs)
                ]
            name = f"{params.get('backbone', 'net')}-freeze{params.get('freeze', 0)}-seed{seed}"
            records.append(
                RunRecord(
                    run_id=run_id,
                    name=name,
                    experiment=data,
                    status=status,
                    params={
                        "data": data,
                        "weights": "pretrained",
                        **params,
                        "seed": str(seed),
                        "trainable_params": str(trainable),
                    },
                    metrics=metrics,
                    tags={
                        "frostline.kind": "job",
                        "frostline.data_fingerprint": f"{data}-{tag}fingerprint",
                        "frostline.data_source": data_source,
                        "frostline.split_digest": f"split-{seed}",
                        "frostline.job_digest": f"{tag}{number}-{seed}",
                        "frostline.torch": "2.14.0",
                    },
                    start_ms=1_760_000_000_000 + 1000 * len(records),
                    end_ms=1_760_000_100_000 + 1000 * len(records),
                )
            )
    return records, source


def depth_sweep(**options):
    """Three backbones by four depths, as a person would sweep them."""
    accuracies = {
        "resnet50": (0.90, 0.905, 0.90, 0.72),
        "vgg16": (0.84, 0.86, 0.85, 0.66),
        "tf_efficientnet_lite0": (0.93, 0.935, 0.93, 0.76),
    }
    seconds = {"resnet50": 60.0, "vgg16": 95.0, "tf_efficientnet_lite0": 32.0}
    sizes = {"resnet50": 23_500_000, "vgg16": 14_700_000, "tf_efficientnet_lite0": 3_400_000}
    cells = [
        (
            {"backbone": backbone, "freeze": depth},
            accuracy,
            seconds[backbone] * share,
            int(sizes[backbone] * share**2),
        )
        for backbone, row in accuracies.items()
        for depth, accuracy, share in zip(
            ("0", "2", "4", "all"), row, (1, 0.8, 0.3, 0.05), strict=True
        )
    ]
    return make_sweep(cells, **options)


@dataclass(frozen=True)
class Sweeps:
    """What tests make runs with."""

    make = staticmethod(make_sweep)
    depth = staticmethod(depth_sweep)
    predictions = staticmethod(make_predictions)
    source = MemorySource
    replace = staticmethod(replace)


@pytest.fixture(scope="session")
def sweeps():
    return Sweeps
