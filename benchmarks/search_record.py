"""Train every cell of a search to its end once, and keep what any rule could have looked at.

A race and its peers can then be replayed over the same curves as often as wanted, as benchmarks of
architecture and hyperparameter search do with their tables. Kept is, of each cell: what it predicts
for each validation image after each epoch, what the weights of its best epoch predict for each test
image, and the processor seconds of its start, of each epoch and of a pause. One thread is used.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray

from benchmarks.regret_runs import _curve_recorder
from benchmarks.search_cells import CELLS, EPOCHS, SETS, Cell
from frostline.config.conf_files import CONF
from frostline.config.read import settings_of
from frostline.config.schema import Settings

Ints = NDArray[np.int64]
FIXED = ("image_size=48", f"epochs={EPOCHS}", "trainer.threads=1", "trainer.accelerator=cpu")
RATE = "lr=1.6e-3"  # the middle of the grid of lr=auto, for all cells


class Observer(pl.Callback):
    """Keeps the predictions and the processor seconds of each epoch."""

    def __init__(self) -> None:
        self.predicted: list[NDArray[np.uint8]] = []
        self.epoch_s: list[float] = []
        self.first_s: float | None = None
        self._begun_s = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """An epoch begins."""
        self._begun_s = time.process_time()
        self.first_s = self._begun_s if self.first_s is None else self.first_s

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Validation has seen all its images."""
        logits, _, items = pl_module.collected()  # type: ignore[operator]
        order = np.argsort(items.numpy())
        self.predicted.append(logits.argmax(dim=1).numpy()[order].astype(np.uint8))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Training of an epoch, and the validation in it, have ended."""
        self.epoch_s.append(time.process_time() - self._begun_s)


def settings_for(cell: Cell, data: str, seed: int, images: Path) -> Settings:
    """The settings of a run.

    Args:
        cell: What is compared.
        data: One of `SETS`.
        seed: Of the run.
        images: The folder of `make_sets`.
    """
    words = [word.replace("data.path=", f"data.path={images}/") for word in SETS[data]]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        own = [*words, *FIXED, RATE, *cell.words, f"seed={seed}"]
        return settings_of(compose("train", own))


def record(data: str, seed: int, images: Path, out: Path) -> None:
    """Train all cells of a data set with one seed and write `DATA-SEED.npz`.

    Args:
        data: One of `SETS`.
        seed: Of the runs.
        images: The folder of `make_sets`.
        out: Gets the file. One that is there is left as it is.
    """
    file = out / f"{data}-{seed}.npz"
    if file.exists():
        return
    images, out = images.resolve(), out.resolve()
    rows = []
    with TemporaryDirectory(prefix="search-", dir=_memory()) as scratch:
        os.chdir(scratch)  # stored features are this recording's own, and paid for in it
        os.environ["FROSTLINE_CACHE"] = f"{scratch}/cache"
        for cell in CELLS:
            row = _train(settings_for(cell, data, seed, images), Path(scratch))
            rows.append(row)
            times = f"{row['start_s']:.1f} {row['epoch_s'].round(1)} {row['pause_s']:.1f}"
            print(data, seed, cell.name, times, flush=True)
        os.chdir(out)
    first = rows[0]
    same = ("val_labels", "val_items", "test_labels")
    assert all(np.array_equal(row[name], first[name]) for row in rows for name in same)
    out.mkdir(parents=True, exist_ok=True)
    content = {name: first[name] for name in ("n_train", "val_labels", "val_groups", "test_labels")}
    for name in ("val_predicted", "test_predicted", "epoch_s", "start_s", "pause_s"):
        content[name] = np.stack([np.asarray(row[name]) for row in rows])
    np.savez_compressed(out / file.name, **content)


def _train(settings: Settings, scratch: Path) -> Mapping[str, Any]:
    from frostline.tracking.prediction_files import read_predictions
    from frostline.training.recorder import TrainedRun
    from frostline.training.run import fit_candidate, judged, train_run
    from frostline.training.rung import rung_file

    observer = Observer()
    with TemporaryDirectory(dir=scratch) as name:
        folder, work = Path(name), Path(name) / "work"
        recorder = _curve_recorder(folder)
        begun_s = time.process_time()
        fit_candidate(
            settings, folder, work, recorder, _nothing, until=settings.epochs, watching=[observer]
        )
        # Resumed where it is and judged there, which is what each pause of a race costs.
        resumed_s = time.process_time()
        again = fit_candidate(settings, folder, work, recorder, _nothing, until=settings.epochs)
        judged(again, rung_file(folder, settings.epochs), settings.epochs)
        pause_s = time.process_time() - resumed_s
        trained = train_run(settings, folder, work, recorder, _nothing)
        assert isinstance(trained, TrainedRun)
        n_train = len(trained.data.splits.train)
        val = read_predictions(folder / "predictions" / "val.parquet")
        test = read_predictions(folder / "predictions" / "test.parquet")
    assert observer.first_s is not None
    groups = np.unique(val.groups, return_inverse=True)[1]
    return {
        "n_train": np.int32(n_train), "val_items": val.items,
        "val_labels": val.labels.astype(np.uint8),
        "val_groups": groups.astype(np.uint16), "test_labels": test.labels.astype(np.uint8),
        "val_predicted": np.stack(observer.predicted[-settings.epochs :]),
        "test_predicted": test.predicted.astype(np.uint8),
        "epoch_s": np.asarray(observer.epoch_s, np.float32),
        "start_s": np.float32(observer.first_s - begun_s), "pause_s": np.float32(pause_s),
    }  # fmt: skip


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _nothing(**_: Any) -> None:
    """Progress is not shown."""
