"""Soups: one network with the mean weights of several, which started from the same weights.

Source:
    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time", ICML 2022: uniform, and greedy by validation.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from frostline.inference.combine.combined import Combined, combined_of, row_of, write_combined
from frostline.inference.combine.mean_network import MeanNetwork, State
from frostline.inference.combine.members import Member, Members
from frostline.inference.combine.same_start import members_of_one_start
from frostline.inference.rebuild import rebuild_run
from frostline.scratch import ScratchFolder
from frostline.stats.ensemble_choice import log_loss
from frostline.stats.predictions import Predictions
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.restore import CHECKPOINT
from frostline.tracking.run_contents import CONFIG_FILE
from frostline.training.checkpoint import load_checkpoint, save_checkpoint

SOUP_FILE = "soup.ckpt"


def soup_of(
    store: Reader, members: Members, folder: Path, *, on_progress: Callable[[str], None]
) -> Combined:
    """Average the weights of a sweep's runs and judge the result; write it as a checkpoint.

    Args:
        store: Where the runs are.
        members: Runs of the same images and splits.
        folder: Where the files go.
        on_progress: Receives lines of progress.

    Raises:
        DataError: If no other run started from the weights of the recommended one.
    """
    members = members_of_one_start(store, members)
    base = members.base
    rebuilt = rebuild_run(lambda: store, base.record.run_id)
    with ScratchFolder("soup") as scratch:
        states = [_state_of(store, run, scratch) for run in members.runs]
    network = MeanNetwork(rebuilt, states, on_progress)
    order = sorted(range(len(members.runs)), key=lambda n: _loss(members.runs[n].val))
    chosen = [order[0]]
    lowest = _loss(network.predictions(chosen, "val"))
    for place in order[1:]:
        loss = _loss(network.predictions([*chosen, place], "val"))
        on_progress(f"with {members.runs[place].record.name}: validation loss {loss:.4f}")
        if loss <= lowest:
            chosen, lowest = [*chosen, place], loss
    everything = list(range(len(members.runs)))
    uniform = network.predictions(everything, "val"), network.predictions(everything, "test")
    greedy = network.predictions(chosen, "val"), network.predictions(chosen, "test")
    is_base = [members.runs[place].record.run_id for place in chosen] == [base.record.run_id]
    rows = [
        row_of("recommended run", 1, base.val, base.test, None),
        row_of("all, mean weights", len(everything), *uniform, base),
        row_of("chosen on validation", len(chosen), *greedy, None if is_base else base),
    ]
    weights = [(run, (place in chosen) / len(chosen)) for place, run in enumerate(members.runs)]
    notes = network.notes
    if len(chosen) == 1:
        notes = [*notes, "no other run lowered the validation loss: the soup is one run alone"]
    found = combined_of("soup", members, rows, weights, notes, folder)
    write_combined(found, *greedy)
    names = [members.runs[place].record.name for place in chosen]
    _write_checkpoint(store, base.record, network.state(chosen), names, rebuilt.classes, folder)
    return found


def _state_of(store: Reader, run: Member, scratch: Path) -> State:
    path = store.fetch_artifact(run.record.run_id, CHECKPOINT, scratch / run.record.run_id)
    state: dict[str, Tensor] = load_checkpoint(path, check=False)["state_dict"]
    return {
        name: tensor
        for name, tensor in state.items()
        if name.startswith(("backbone.model.", "head."))
    }


def _loss(predictions: Predictions) -> float:
    return log_loss(predictions.probs.astype(np.float64), predictions.labels)


def _write_checkpoint(
    store: Reader,
    base: RunRecord,
    state: dict[str, Tensor],
    names: Sequence[str],
    classes: Sequence[str],
    folder: Path,
) -> None:
    """Write a soup as a run's checkpoint, with what is needed to use it by its path."""
    content = {"epoch": None, "global_step": 0, "state_dict": state, "soup_of": list(names)}
    # Written last: weights must never stand beside the config of an earlier soup.
    (folder / SOUP_FILE).unlink(missing_ok=True)
    shutil.copyfile(store.fetch_artifact(base.run_id, CONFIG_FILE), folder / CONFIG_FILE)
    text = json.dumps({"classes": list(classes)}, ensure_ascii=False)
    (folder / "predictions" / "classes.json").write_text(text, encoding="utf-8")
    save_checkpoint(content, folder / SOUP_FILE)
