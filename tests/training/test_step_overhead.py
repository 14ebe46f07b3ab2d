"""What Lightning does for every Trainer and step, and need not."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
from lightning_fabric.utilities import registry

from frostline.training import step_overhead
from frostline.training.step_overhead import search_packages_once


class Added(pl.Callback):
    """What an installed package adds to every Trainer."""


def test_packages_are_searched_once_and_asked_for_every_trainer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups: list[str] = []

    def searched(*, group: str) -> list[Any]:
        groups.append(group)
        return [SimpleNamespace(name="added", load=lambda: lambda: [Added()])]

    monkeypatch.setattr(step_overhead, "entry_points", searched)
    monkeypatch.setattr(registry, "entry_points", searched)
    added = []
    for _ in range(3):
        search_packages_once()
        trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
        added += [each for each in trainer.callbacks if isinstance(each, Added)]
    assert groups == ["pytorch_lightning.callbacks_factory"]
    assert len(set(map(id, added))) == 3
