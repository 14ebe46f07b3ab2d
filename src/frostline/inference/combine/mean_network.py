"""One network that has the mean weights of several runs, and what it answers."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from frostline.inference.combine.norm_statistics import adapted_layers, measure_anew
from frostline.inference.evaluation_images import own_data
from frostline.inference.rebuild import Rebuilt
from frostline.inference.run_engine import engine_here
from frostline.inference.run_network import evaluate_rows
from frostline.stats.predictions import Predictions

State = Mapping[str, Tensor]


class MeanNetwork:
    """A network that is given the mean of some states and looks at images.

    Args:
        rebuilt: The recommended run, whose network is used.
        states: All tensors of each run, named as in its checkpoint.
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
        self._roots = {"backbone.model.": rebuilt.backbone.model, "head.": rebuilt.head}
        self._adapted = adapted_layers(states, self._roots)
        self.notes: list[str] = []
        if self._adapted:
            text = (
                f"statistics of {len(self._adapted)} BatchNorm layers, which adapted in training, "
                "are measured anew on the training images for every mean"
            )
            self.notes.append(text)
            on_progress(text)

    def state(self, places: Sequence[int]) -> dict[str, Tensor]:
        """The mean of some states, with the statistics of that network: what a checkpoint holds."""
        self._take(places)
        return {
            f"{prefix}{name}": tensor.detach().cpu().clone()
            for prefix, module in self._roots.items()
            for name, tensor in module.state_dict().items()
        }

    def predictions(self, places: Sequence[int], split: str) -> Predictions:
        """What the mean of some states answers for a split."""
        self._take(places)
        rows = self._splits.named()[split]
        done = evaluate_rows(self._rebuilt, self._table, rows, self._engine)
        return done.predictions(self._table)

    def _take(self, places: Sequence[int]) -> None:
        """Give the network the mean of some states."""
        state = mean_state([self._states[place] for place in places])
        for prefix, module in self._roots.items():
            own = {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
            with torch.no_grad():
                module.load_state_dict(own)
        if self._adapted and len(places) > 1:
            # Mixed, since a batch of one class would have less spread than the images have.
            rows = np.random.default_rng(0).permutation(self._splits.train)
            measure_anew(
                self._adapted,
                lambda: evaluate_rows(self._rebuilt, self._table, rows, self._engine),
            )


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
