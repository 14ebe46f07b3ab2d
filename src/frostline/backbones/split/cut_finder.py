"""Finding a cut in what a model does, in eval and in train mode, on the meta device."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from frostline.backbones.pooling import OutputPooling
from frostline.backbones.spec import Boundary
from frostline.backbones.split.crossing import CutError
from frostline.backbones.split.divide import divide_pass
from frostline.backbones.split.program import Program
from frostline.backbones.split.recording import Recording, record

_BATCH = 3
_OTHER_BATCH = 5
_MAX_REASON_CHARS = 160


@dataclass(frozen=True)
class CutPrograms:
    """The two parts of a model's forward pass.

    Attributes:
        prefix: What runs before the boundary, in eval mode.
        suffix: What runs after it in eval mode.
        train_suffix: What runs after it in train mode, if that differs.
        needs_size: True if the parts hold for one image size only.
    """

    prefix: Program
    suffix: Program
    train_suffix: Program | None
    needs_size: bool


class CutFinder:
    """Finds cuts at several boundaries of a model from the same recordings of its pass.

    Args:
        model: The model.
        boundaries: All boundaries at which cuts will be looked for.
        shape: Channels, height and width of the input.
        pooling: What is done with the model's output.
    """

    def __init__(
        self,
        model: nn.Module,
        boundaries: Sequence[Boundary],
        shape: tuple[int, int, int],
        pooling: OutputPooling,
    ) -> None:
        self._model = model
        self.boundaries = boundaries
        self._shape = shape
        self._pooling = pooling

    def _record(self, batch: int, *, training: bool) -> Recording:
        return record(
            self._model,
            self.boundaries,
            shape=self._shape,
            batch=batch,
            training=training,
            run=self._pooling.run,
        )

    @cached_property
    def _in_eval_mode(self) -> Recording:
        return self._record(_BATCH, training=False)

    @cached_property
    def _in_train_mode(self) -> Recording:
        return self._record(_BATCH, training=True)

    @cached_property
    def _other_batch(self) -> Recording:
        return self._record(_OTHER_BATCH, training=False)

    def find(self, boundary: Boundary) -> CutPrograms:
        """Divide the pass at a boundary.

        Raises:
            CutError: It cannot be divided there.
            Exception: The model's code raised it while it was recorded.
        """
        eval_pass, train_pass = self._in_eval_mode, self._in_train_mode
        position = eval_pass.position(boundary)
        if position is None:
            raise CutError(f"{boundary.module} is not a step of the model's outermost code")
        same = str(eval_pass.graph) == str(train_pass.graph)
        divided = divide_pass(
            eval_pass,
            lambda: self._other_batch,
            self._model,
            position,
            batch=_BATCH,
            may_move=same,
        )
        train_suffix = None
        if not same:
            train_position = train_pass.position(boundary)
            if train_position is None:
                raise CutError("its code takes another path in train mode")
            train_divided = divide_pass(
                train_pass,
                lambda: self._other_batch,
                self._model,
                train_position,
                batch=_BATCH,
                may_move=False,
            )
            if train_divided.suffix.inputs != divided.suffix.inputs:
                raise CutError("in train mode something else crosses the boundary")
            train_suffix = train_divided.suffix
        needs_size = eval_pass.size_matters or divided.needs_size
        return CutPrograms(divided.prefix, divided.suffix, train_suffix, needs_size)


def reason_of(error: Exception) -> str:
    """Return in one line why there is no cut."""
    text = next(iter(str(error).strip().splitlines()), "")
    if isinstance(error, CutError) and text:
        return text
    return f"{type(error).__name__}: {text}"[:_MAX_REASON_CHARS]
