"""`debug=fdr`: one batch of training, validation and test, and no run that a real one answers."""

from pathlib import Path

import pytest

from frostline.config.identity import _values
from frostline.tracking.prediction_files import read_predictions
from frostline.training.group_key import group_key
from frostline.training.task import ClassificationTask
from tests.contracts.scheduled import ran, settings


@pytest.mark.parametrize("limit", [1, 2])
def test_so_many_batches_of_each_split(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FROSTLINE_HOME", str(tmp_path / "home"))
    steps: list[int] = []
    step = ClassificationTask.training_step

    def counted(self: ClassificationTask, batch: object, batch_idx: int) -> object:
        steps.append(batch_idx)
        return step(self, batch, batch_idx)  # type: ignore[arg-type]

    monkeypatch.setattr(ClassificationTask, "training_step", counted)
    given = settings(
        "debug=fdr", "backbone=test_resnet", "freeze=2", "batch_size=4",
        f"trainer.limit_batches={limit}",
    )  # fmt: skip
    seen = ran(given, tmp_path, monkeypatch)
    assert steps == list(range(limit))
    for split in ("val", "test"):
        table = read_predictions(tmp_path / "predictions" / f"{split}.parquet")
        assert len(table.labels) == 4 * limit
    assert (seen.work / "best.ckpt").is_file()
    assert seen.figures["test/loss"] > 0


def test_identity_and_groups() -> None:
    assert "limit_batches" not in _values(settings())["trainer"]
    assert _values(settings("debug=fdr"))["trainer"]["limit_batches"] == 1
    alone = settings("freeze=all", "trainer.limit_batches=1")
    assert group_key(alone, prefix_stages=5, num_stages=5) is None
