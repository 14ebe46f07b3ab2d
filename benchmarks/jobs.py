"""The workloads, and what every system is given: the same images, splits, seeds and heads."""

from dataclasses import dataclass
from pathlib import Path

from frostline.data.sample_table import SampleTable
from frostline.data.sources.folder import load_folder
from frostline.data.splits import Splits, split_table

SPLIT_SEED = 0
VAL_FRAC = TEST_FRAC = 0.2


@dataclass(frozen=True)
class Job:
    """One cell of a sweep."""

    backbone: str
    freeze: str
    lr: float
    seed: int = 0
    head: str = "linear"
    weights: str = "random"


@dataclass(frozen=True)
class Workload:
    """A sweep and its sizes."""

    name: str
    title: str
    overrides: tuple[str, ...]
    jobs: tuple[Job, ...]
    image_size: int
    epochs: int
    batch_size: int
    precision: str = "32-true"
    augment: str = "none"

    @property
    def allows_bf16(self) -> bool:
        """Whether systems may compute in bfloat16 where a probe finds that faster."""
        return self.precision != "32-true"


@dataclass(frozen=True)
class Goal:
    """How fast a sweep should be: times P0, times P1, share of the bound (None: no such goal)."""

    p0: float | None
    p1: float | None
    bound: float | None = None


# By the kind of device, images x epochs, and workload.
GOALS: dict[tuple[str, str], dict[str, Goal]] = {
    ("cpu", "300x2"): {
        "W1": Goal(2.2, 1.0),
        "W2": Goal(15, 3),
        "W3": Goal(3, 1.1),
        "W4": Goal(3, None),
    },
    ("cpu", "1000x5"): {
        "W1": Goal(2.5, 1.2),
        "W2": Goal(40, 10),
        "W3": Goal(6, 2),
        "W4": Goal(None, None, 0.8),
    },
    ("cuda", "10000x10"): {
        "W1": Goal(2.5, 1.15),
        "W2": Goal(100, 50),
        "W3": Goal(8, 2),
        "W4": Goal(3, 1.3),
    },
}
# Of W6, in milliseconds beyond the raw loop.
TINY_GOALS_MS = {"isolated": 300, "in_turn": 100, "batched": 50, "step": 0.1}


@dataclass(frozen=True)
class Place:
    """Where one system finds its images and leaves its records, and on what it computes."""

    images: Path
    store_uri: str
    folder: Path
    device: str
    threads: int | None


def open_table(place: Place) -> tuple[SampleTable, Splits]:
    """The images as every system sees them."""
    table = load_folder(str(place.images), on_bad_image="error")
    return table, split_table(table, val_frac=VAL_FRAC, test_frac=TEST_FRAC, seed=SPLIT_SEED)


LITE0, LITE1 = "tf_efficientnet_lite0", "tf_efficientnet_lite1"


def cpu_workloads(*, tiny: bool, epochs: int) -> list[Workload]:
    """W1 to W4 at the sizes of a 2-core machine; tiny nets and 64 px to try the code."""
    first, second = ("test_efficientnet", "test_resnet") if tiny else (LITE0, LITE1)
    size = 64 if tiny else 96
    depths = ("0", "2", "all") if tiny else ("0", "1", "2", "3", "4", "all")
    given = dict.fromkeys((first, second), "random" if tiny else "pretrained")
    return build(
        first, second, given, depths, image_size=size, epochs=epochs, batch_size=32, w2=(4, 2),
        w3_backbones=(first, second),
    )  # fmt: skip


def cuda_workloads(*, epochs: int) -> list[Workload]:
    """The larger sizes, for a GPU."""
    first, second = "resnet50", "convnext_tiny"
    given = {first: "random", second: "random"}
    return build(
        first, second, given, ("0", "1", "2", "3", "4", "all"), image_size=224, epochs=epochs,
        batch_size=128, w2=(8, 3), w3_backbones=(first, second),
    )  # fmt: skip


def build(
    first: str,
    second: str,
    given: dict[str, str],
    depths: tuple[str, ...],
    *,
    image_size: int,
    epochs: int,
    batch_size: int,
    w2: tuple[int, int],
    w3_backbones: tuple[str, ...],
) -> list[Workload]:
    """The four sweeps over chosen backbones and depths."""
    n_lrs, n_seeds = w2
    lrs = tuple(round(1e-3 * 3**power, 6) for power in range(n_lrs))
    last = dict.fromkeys(w3_backbones, "4")
    if image_size == 64:
        last = dict.fromkeys(w3_backbones, "3")
    shared = (f"image_size={image_size}", f"epochs={epochs}", f"batch_size={batch_size}")

    def sweep(
        name: str, title: str, overrides: tuple[str, ...], jobs: tuple[Job, ...],
        augment: str = "none",
    ) -> Workload:  # fmt: skip
        return Workload(
            name, title, (*shared, *overrides), jobs, image_size, epochs, batch_size,
            augment=augment,
        )  # fmt: skip

    return [
        sweep(
            "W1",
            "depth sweep, no augmentation, two backbones",
            (),
            tuple(
                Job(name, depth, 5e-4, weights=given[name])
                for name in (first, second)
                for depth in depths
            ),
        ),
        sweep(
            "W2",
            f"head grid: {n_lrs * n_seeds} jobs with freeze=all (lr x seed)",
            (),
            tuple(
                Job(first, "all", lr, seed=seed, weights=given[first])
                for seed in range(n_seeds)
                for lr in lrs
            ),
        ),
        sweep(
            "W3",
            "last stage + head, 6 jobs",
            (),
            tuple(
                Job(name, last[name], lr, weights=given[name])
                for name in w3_backbones
                for lr in (1e-4, 3e-4, 1e-3)
            ),
        ),
        sweep(
            "W4",
            "random crops, 9 jobs of one backbone (depth x lr)",
            (),
            tuple(
                Job(first, depth, lr, weights=given[first])
                for depth in dict.fromkeys(("2", last[first], "all"))
                for lr in (1e-4, 3e-4, 1e-3)
            ),
            augment="crop",
        ),
    ]


def tiny_workloads(*, tiny: bool) -> dict[str, Workload]:
    """W6: sweeps of tiny jobs, each in a fresh process, in turn in one, and trained as one batch.

    What a job costs beside its training is the same for the tenth as for the sixtieth.
    """
    shared = ("image_size=64", "epochs=2", "batch_size=32")
    fresh = (*shared, "hydra.launcher.jobs_per_process=1")
    found = {}
    for name, freeze, full, overrides in (
        ("isolated", "4", 8, fresh),
        ("in_turn", "4", 32, shared),
        ("batched", "all", 64, shared),
    ):
        n_jobs = 4 if tiny else full
        lrs = [round(1e-4 * 1.1**power, 8) for power in range(n_jobs)]
        jobs = tuple(Job("test_resnet", freeze, lr) for lr in lrs)
        found[name] = Workload("W6", f"{n_jobs} tiny jobs", overrides, jobs, 64, 2, 32)
    return found
