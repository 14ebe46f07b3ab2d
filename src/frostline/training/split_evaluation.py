"""The figures of a trained task on a split, and what it said about each item."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.data.sample_table import SampleTable
from frostline.training.metrics import classification_metrics, probabilities
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
        task: Holds the weights to judge.
        evaluate: `trainer.validate` or `trainer.test`.
        loader: The split's batches, in table order.
        table: Where the batches' rows lie.
        predictions: The Parquet file to write.

    Returns:
        `loss`, `acc_micro`, `acc_macro` and `f1_macro`.
    """
    from frostline.tracking.predictions import write_predictions

    evaluate(task, loader, verbose=False)
    logits, labels, items = task.collected()
    rows: NDArray[np.int64] = items.numpy()
    write_predictions(
        predictions,
        items=[table.items[row] for row in rows.tolist()],
        groups=[str(group) for group in table.groups[rows]],
        labels=labels.numpy(),
        probs=probabilities(logits).numpy(),
    )
    return classification_metrics(logits, labels)
