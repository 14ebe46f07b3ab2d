"""What a model costs, and figures over the classes that are there."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from frostline.config.recorded_config import recorded_settings
from frostline.errors import ConfigError
from frostline.inference.cost import cost_of
from frostline.inference.other_data import data_of
from frostline.inference.score_intervals import few_groups_note, figures_of, intervals_of
from frostline.stats.predictions import Predictions
from frostline.training.metrics import classification_metrics
from tests.inference.tiny_run import save_untrained

ON_CPU = SimpleNamespace(accelerator="cpu", precision="32-true")


def test_cost_counts_parameters_and_operations() -> None:
    torch.set_num_threads(1)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 256, 5))
    result = cost_of(
        network.eval(),
        shape=(3, 16, 16),
        checkpoint_bytes=2**20,
        engine=ON_CPU,  # type: ignore[arg-type]
    )
    assert result["params"] == 3 * 8 * 9 + 8 + 8 * 256 * 5 + 5
    assert result["gflops"] * 1e9 == 2 * (8 * 27 * 256 + 8 * 256 * 5)
    assert result["weights_mib"] == pytest.approx(result["params"] * 4 / 2**20)
    assert result["checkpoint_mib"] == 1.0
    assert result["peak_memory_mib_batch_64"] >= 0
    for n in (1, 64):
        product = result[f"latency_ms_batch_{n}"] * result[f"images_per_s_batch_{n}"]
        assert product == pytest.approx(1e3 * n)


def test_figures_are_those_of_training_where_all_classes_are_there() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(30, 3), torch.arange(30) % 3
    assert figures_of(logits, labels) == classification_metrics(logits, labels)


def test_macro_figures_leave_out_classes_without_images() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    logits = torch.eye(3)[torch.tensor([0, 2, 1, 1])] * 9
    result = figures_of(logits, labels)
    assert result["acc_micro"] == 0.75
    assert result["acc_macro"] == pytest.approx((0.5 + 1.0) / 2)
    assert result["f1_macro"] == pytest.approx((2 / 3 + 1.0) / 2)


def test_intervals_are_wider_where_images_come_in_groups() -> None:
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(40) < 0.8, 5)
    labels = np.zeros(200, dtype=np.int64)
    probs = np.where(right[:, None], [[0.9, 0.1]], [[0.2, 0.8]]).astype(np.float16)
    items = np.array([f"{k:03}" for k in range(200)])
    leaves = np.repeat([f"leaf{k:02}" for k in range(40)], 5)
    apart = intervals_of(Predictions(items, items, labels, probs))["acc_micro"]
    together = intervals_of(Predictions(items, leaves, labels, probs))["acc_micro"]
    assert apart[0] <= right.mean() <= apart[1]
    assert together[1] - together[0] > 1.6 * (apart[1] - apart[0])


def test_other_data_are_a_path_or_other_settings(tmp_path: Path) -> None:
    import yaml

    save_untrained(tmp_path)
    settings = recorded_settings(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    (tmp_path / "field").mkdir()
    folder = data_of([str(tmp_path / "field"), "on_bad_image=skip"], settings)
    assert (folder.source, folder.on_bad_image) == ("folder", "skip")  # type: ignore[union-attr]
    lenient = settings.model_copy(
        update={"data": settings.data.model_copy(update={"on_bad_image": "skip"})}
    )
    for words, rule in (([], "skip"), (["on_bad_image=error"], "error")):
        one = data_of([str(tmp_path / "field"), *words], lenient)
        assert one.on_bad_image == rule  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="there is no such file or folder"):
        data_of([str(tmp_path / "nowhere")], settings)
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match="no known kind of data set"):
        data_of([str(tmp_path / "notes.txt")], settings)
    with pytest.raises(ConfigError, match="colour"):
        data_of([str(tmp_path / "field"), "colour=red"], settings)


def test_classes_of_few_groups_are_named_since_macro_intervals_do_not_hold_them():
    labels = np.repeat([0, 1, 3], (6, 4, 12))
    items = np.array([f"{k}.png" for k in range(22)])
    probs = np.full((22, 4), 0.25)
    leaves = items.copy()
    leaves[10:] = np.repeat(["a", "b", "c"], 4)
    names = ("rust", "scab", "blight", "healthy")
    alone = few_groups_note(Predictions(items, items, labels, probs), names)
    grouped = few_groups_note(Predictions(items, leaves, labels, probs), names)
    assert alone.startswith("1 of 3 classes ('scab') have fewer than 5")
    assert grouped.startswith("2 of 3 classes ('scab', 'healthy')")
    enough = few_groups_note(Predictions(items[:6], items[:6], labels[:6], probs[:6]), names)
    assert enough == ""
