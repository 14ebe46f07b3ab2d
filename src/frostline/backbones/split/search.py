"""Looking for a cut in what a model does, in eval and in train mode, without numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from frostline.backbones.pooling import Finish
from frostline.backbones.spec import Boundary
from frostline.backbones.split.divide import slice_pass
from frostline.backbones.split.packing import CutError
from frostline.backbones.split.record import Recording, record
from frostline.backbones.split.segment import Plan

_BATCH = 3
_OTHER_BATCH = 5


@dataclass(frozen=True)
class FoundCut:
    """The two parts of a model's pass.

    Args:
        prefix: What runs before the boundary, in eval mode.
        suffix: What runs after it in eval mode.
        train_suffix: What runs after it in train mode, if that differs.
        needs_size: True if the parts hold for one image size only.
    """

    prefix: Plan
    suffix: Plan
    train_suffix: Plan | None
    needs_size: bool


class Recordings:
    """A model's pass, recorded once for each question that is asked about it.

    Args:
        model: The model.
        boundaries: All boundaries that will be asked about.
        size_px: Side of the input.
        finish: What is done with its output.
    """

    def __init__(
        self, model: nn.Module, boundaries: Sequence[Boundary], size_px: int, finish: Finish
    ) -> None:
        self._model = model
        self.boundaries = boundaries
        self._size_px = size_px
        self._finish = finish

    def _record(self, batch: int, *, training: bool) -> Recording:
        return record(
            self._model,
            self.boundaries,
            size_px=self._size_px,
            batch=batch,
            training=training,
            run=self._finish.of,
        )

    @cached_property
    def _evaluating(self) -> Recording:
        return self._record(_BATCH, training=False)

    @cached_property
    def _training(self) -> Recording:
        return self._record(_BATCH, training=True)

    @cached_property
    def _other_batch(self) -> Recording:
        return self._record(_OTHER_BATCH, training=False)

    def cut_at(self, boundary: Boundary) -> FoundCut:
        """Divide the pass at a boundary.

        Raises:
            CutError: It cannot be divided there.
            Exception: Whatever the model's code raises when it is recorded.
        """
        evaluating, training = self._evaluating, self._training
        position = evaluating.position(boundary)
        if position is None:
            raise CutError(f"{boundary.module} is not a step of the model's outermost code")
        same = str(evaluating.graph) == str(training.graph)
        slices = slice_pass(
            evaluating,
            lambda: self._other_batch,
            self._model,
            position,
            batch=_BATCH,
            may_move=same,
        )
        train_suffix = None
        if not same:
            train_position = training.position(boundary)
            if train_position is None:
                raise CutError("its code takes another path in train mode")
            in_training = slice_pass(
                training,
                lambda: self._other_batch,
                self._model,
                train_position,
                batch=_BATCH,
                may_move=False,
            )
            if in_training.suffix.inputs != slices.suffix.inputs:
                raise CutError("in train mode something else passes the boundary")
            train_suffix = in_training.suffix
        needs_size = evaluating.size_matters or slices.needs_size
        return FoundCut(slices.prefix, slices.suffix, train_suffix, needs_size)
