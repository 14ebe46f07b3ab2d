"""The test images are seen as Lightning's Trainer shows them, bit by bit."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from frostline.training import run
from frostline.training.testing import test_pass as chosen_pass
from tests.contracts.scheduled import ran, settings

GIVEN = ("backbone=test_resnet", "epochs=1", "lr=5e-3", "head=mlp")


@pytest.mark.parametrize(
    "words",
    [
        ("freeze=2", "augment=flip"),
        ("freeze=2", "reuse=off", "trainer.precision=bf16-mixed"),
        ("freeze=0", "debug=fdr"),
    ],
    ids=["stored", "bfloat16", "limited"],
)
def test_a_test_without_the_trainer_is_that_of_the_trainer(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both: list[tuple[Any, ...]] = []
    before = run.evaluate_split

    def twice(task: Any, evaluate: Any, loader: Any, *rest: Any) -> Any:
        trainer, modes = task.trainer, [module.training for module in task.modules()]
        assert evaluate != trainer.test
        evaluate(task, loader, verbose=False)
        assert [module.training for module in task.modules()] == modes
        ours = task.collected()
        trainer.test(task, loader, verbose=False)
        both.append((ours, task.collected()))
        return before(task, evaluate, loader, *rest)

    monkeypatch.setattr(run, "evaluate_split", twice)
    ran(settings(*GIVEN, *words), tmp_path, monkeypatch)
    ((ours, lightnings),) = both
    assert len(ours[0]) > 0
    for one, other in zip(ours, lightnings, strict=True):
        assert torch.equal(one, other)


def test_own_callbacks_hear_of_the_test() -> None:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    assert chosen_pass(trainer, has_own_callbacks=True) == trainer.test
    assert chosen_pass(trainer, has_own_callbacks=False) != trainer.test
