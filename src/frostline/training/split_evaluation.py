"""Scores of a trained network on a split, and its predictions for each image."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from frostline.data.sample_table import SampleTable
from frostline.tracking.prediction_files import write_predictions
from frostline.training.metrics import classification_metrics
from frostline.training.probabilities import probabilities
from frostline.training.task import ClassificationTask


def evaluate_split(
    task: ClassificationTask,
    evaluate: Callable[..., Any],
    loader: Any,
    table: SampleTable,
    predictions: Path,
) -> dict[str, float]:
    """Run a task over one split, write its predictions, score them.

    Args:
        task: Holds the weights to evaluate.
        evaluate: `trainer.validate`, `trainer.test`, or what does the same.
        loader: The split's batches, in table order.
        table: Where the batches' rows lie.
        predictions: The Parquet file to write.

    Returns:
        `loss`, `acc_micro`, `acc_macro` and `f1_macro`.
    """
    evaluate(task, loader, verbose=False)
    return score_and_write(*task.collected(), table, predictions)


def score_and_write(
    logits: Tensor, labels: Tensor, items: Tensor, table: SampleTable, predictions: Path
) -> dict[str, float]:
    """Score one split and write its predictions.

    Args:
        logits: (N, K) float, in table order.
        labels: (N,) int64.
        items: (N,) int64 rows of the table.
        table: All images.
        predictions: The Parquet file to write.

    Returns:
        `loss`, `acc_micro`, `acc_macro` and `f1_macro`.
    """
    rows: NDArray[np.int64] = items.numpy()
    write_predictions(
        predictions,
        items=[table.items[row] for row in rows.tolist()],
        groups=[str(group) for group in table.groups[rows]],
        labels=labels.numpy(),
        probs=probabilities(logits).numpy(),
    )
    return classification_metrics(logits, labels)
