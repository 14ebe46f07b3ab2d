"""Soups: one network with the mean weights of several, which started from the same weights.

Source:
    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time", ICML 2022: uniform, and greedy by validation.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frostline.config.own_part import OwnPart
from frostline.config.recipe import LinearHead
from frostline.config.recorded_config import recorded_settings
from frostline.config.schema import Settings
from frostline.errors import DataError
from frostline.inference.combine.combined import Combined, combined_of, row_of, write_combined
from frostline.inference.combine.members import Member, Members
from frostline.inference.evaluation_images import own_data
from frostline.inference.rebuild import Rebuilt, rebuild_run
from frostline.inference.run_engine import engine_here
from frostline.inference.run_network import evaluate_rows
from frostline.scratch import ScratchFolder
from frostline.stats.ensemble_choice import log_loss
from frostline.stats.predictions import Predictions
from frostline.tracking.reader import Reader
from frostline.tracking.records import RunRecord
from frostline.tracking.restore import CHECKPOINT
from frostline.tracking.run_contents import CONFIG_FILE, read_config
from frostline.training.checkpoint import load_checkpoint, save_checkpoint

SOUP_FILE = "soup.ckpt"
State = Mapping[str, Tensor]
# Running statistics of BatchNorm: they belong to the weights that made the activations.
_STATISTICS = ("running_mean", "running_var")


def start_key(settings: Settings, record: RunRecord) -> tuple[Any, ...]:
    """What two runs must share so that their weights can be averaged: where they started.

    A linear head starts elsewhere with another seed, but its logits are linear in its weights, so
    the mean head gives the mean logits. Hidden units have no order, so an MLP must share the seed.

    Args:
        settings: Of a run.
        record: Of the same run.
    """
    is_linear = isinstance(settings.head, LinearHead)
    needs_seed = not is_linear or isinstance(settings.head, OwnPart) or settings.draws_weights
    return (
        settings.backbone,
        settings.plugins.backbone,
        settings.weights if not settings.is_weights_file else "file",
        record.tags.get("frostline.weights_digest", ""),
        settings.image_size,
        settings.in_chans,
        settings.head.model_dump_json(),
        settings.seed if needs_seed else None,
    )


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
    members = _of_one_start(store, members)
    base = members.base
    rebuilt = rebuild_run(lambda: store, base.record.run_id)
    with ScratchFolder("soup") as scratch:
        states = [_state_of(store, run, scratch) for run in members.runs]
    kitchen = Kitchen(rebuilt, states, on_progress)
    order = sorted(range(len(members.runs)), key=lambda n: _loss(members.runs[n].val))
    chosen = [order[0]]
    lowest = _loss(kitchen.predictions(chosen, "val"))
    for place in order[1:]:
        loss = _loss(kitchen.predictions([*chosen, place], "val"))
        on_progress(f"with {members.runs[place].record.name}: validation loss {loss:.4f}")
        if loss <= lowest:
            chosen, lowest = [*chosen, place], loss
    everything = list(range(len(members.runs)))
    uniform = kitchen.predictions(everything, "val"), kitchen.predictions(everything, "test")
    greedy = kitchen.predictions(chosen, "val"), kitchen.predictions(chosen, "test")
    is_base = [members.runs[place].record.run_id for place in chosen] == [base.record.run_id]
    rows = [
        row_of("recommended run", 1, base.val, base.test, None),
        row_of("all, mean weights", len(everything), *uniform, base),
        row_of("chosen on validation", len(chosen), *greedy, None if is_base else base),
    ]
    weights = [(run, (place in chosen) / len(chosen)) for place, run in enumerate(members.runs)]
    notes = kitchen.notes
    if len(chosen) == 1:
        notes = [*notes, "no other run lowered the validation loss: the soup is one run alone"]
    found = combined_of("soup", members, rows, weights, notes, folder)
    write_combined(found, *greedy)
    _write_checkpoint(store, base.record, kitchen.state(chosen), rebuilt.classes, folder)
    return found


class Kitchen:
    """One network that is given the mean of some states and looks at images.

    Args:
        rebuilt: The recommended run, whose network is used.
        states: All tensors of each run.
        on_progress: Receives lines of progress.

    Attributes:
        notes: What was done to BatchNorm's statistics.
    """

    def __init__(
        self, rebuilt: Rebuilt, states: Sequence[State], on_progress: Callable[[str], None]
    ) -> None:
        self._rebuilt = rebuilt
        self._states = states
        self._table, self._splits = own_data(rebuilt)
        self._engine = engine_here(rebuilt)
        moved = _moved_statistics(states)
        self._moved = [
            module
            for path, module in self._modules()
            if any(f"{path}.{name}" in moved for name in _STATISTICS)
        ]
        self.notes: list[str] = []
        if self._moved:
            text = (
                f"statistics of {len(self._moved)} BatchNorm layers, which adapted in training, "
                "are measured anew on the training images for every mean"
            )
            self.notes.append(text)
            on_progress(text)

    def state(self, places: Sequence[int]) -> dict[str, Tensor]:
        """The mean of some states, with the statistics of that network: what a checkpoint holds."""
        self._serve(places)
        own = {
            **{
                f"backbone.model.{n}": t
                for n, t in self._rebuilt.backbone.model.state_dict().items()
            },
            **{f"head.{n}": t for n, t in self._rebuilt.head.state_dict().items()},
        }
        return {name: tensor.detach().cpu().clone() for name, tensor in own.items()}

    def predictions(self, places: Sequence[int], split: str) -> Predictions:
        """What the mean of some states answers for a split."""
        self._serve(places)
        rows = self._splits.named()[split]
        return evaluate_rows(self._rebuilt, self._table, rows, self._engine).predictions(
            self._table
        )

    def _serve(self, places: Sequence[int]) -> None:
        """Give the network the mean of some states."""
        state = mean_state([self._states[place] for place in places])
        for prefix, module in (
            ("backbone.model.", self._rebuilt.backbone.model),
            ("head.", self._rebuilt.head),
        ):
            own = {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
            with torch.no_grad():
                module.load_state_dict(own)
        if self._moved and len(places) > 1:
            self._measure_statistics()

    def _measure_statistics(self) -> None:
        """Replace the statistics of layers that adapt by those of the training images."""
        momenta = [norm.momentum for norm in self._moved]
        for norm in self._moved:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        # Mixed, since a batch of one class would have less spread than the images have.
        rows = np.random.default_rng(0).permutation(self._splits.train)
        try:
            evaluate_rows(self._rebuilt, self._table, rows, self._engine)
        finally:
            for norm, momentum in zip(self._moved, momenta, strict=True):
                norm.eval()
                norm.momentum = momentum

    def _modules(self) -> list[tuple[str, nn.modules.batchnorm._BatchNorm]]:
        found = []
        for prefix, root in (
            ("backbone.model", self._rebuilt.backbone.model),
            ("head", self._rebuilt.head),
        ):
            for path, module in root.named_modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    found.append((f"{prefix}.{path}", module))
        return found


def mean_state(states: Sequence[State]) -> dict[str, Tensor]:
    """The mean of each tensor; counts and other whole numbers are those of the first state."""
    if len(states) == 1:
        return dict(states[0])
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(first.dtype)
        if first.is_floating_point()
        else first
        for name, first in states[0].items()
    }


def _moved_statistics(states: Sequence[State]) -> set[str]:
    """Names of BatchNorm statistics that are not the same in all states."""
    first = states[0]
    return {
        name
        for name, tensor in first.items()
        if name.endswith(_STATISTICS)
        and any(not torch.equal(tensor, state[name]) for state in states[1:])
    }


def _of_one_start(store: Reader, members: Members) -> Members:
    """The runs that started from the weights of the recommended one.

    Raises:
        DataError: If there is no other.
    """
    base = members.base.record
    wanted = start_key(recorded_settings(read_config(store, base)), base)
    runs, left_out = [], Counter(members.left_out)
    for run in members.runs:
        if start_key(recorded_settings(read_config(store, run.record)), run.record) == wanted:
            runs.append(run)
        else:
            left_out["another backbone, size or head, or it started from other weights"] += 1
    if len(runs) < 2:
        raise DataError(
            f"best:{members.sweep.name}: no other run of {base.name}'s splits started from its "
            f"weights with its backbone ({wanted[0]}), image size and head",
            "two or more runs of one backbone that differ in depth, rate, augmentation or the like",
            "--ensemble takes runs of any backbones",
        )
    return Members(members.sweep, members.base, runs, left_out)


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
    classes: Sequence[str],
    folder: Path,
) -> None:
    """Write a soup as a run's checkpoint, with what is needed to use it by its path."""
    save_checkpoint({"epoch": None, "global_step": 0, "state_dict": state}, folder / SOUP_FILE)
    shutil.copyfile(store.fetch_artifact(base.run_id, CONFIG_FILE), folder / CONFIG_FILE)
    text = json.dumps({"classes": list(classes)}, ensure_ascii=False)
    (folder / "predictions" / "classes.json").write_text(text, encoding="utf-8")
