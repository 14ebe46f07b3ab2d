"""The proof that two parts are the model: both run on the same images, compared bit by bit."""

import torch
from torch import Tensor, nn

from frostline.backbones.execution_order import held_in_eval
from frostline.backbones.pooling import Finish
from frostline.backbones.split.packing import CutError
from frostline.backbones.split.segment import Segment, layout_of, pack

_CHECKED_SIZE_PX = 96
_CHECKED_BATCH = 2
_RTOL = 1e-3
_ATOL = 1e-4


def prove(
    model: nn.Module,
    finish: Finish,
    prefix: Segment,
    suffix: Segment,
    size_px: int,
    *,
    may_shrink: bool,
) -> None:
    """Compare the two parts with the model on an image batch, bit by bit.

    It also finds out whether a part overwrites what it is given, and makes it copy that first.

    Args:
        model: The model.
        finish: What is done with its output.
        prefix: Its first part.
        suffix: Its second part.
        size_px: Side of its input.
        may_shrink: Whether smaller images take the same steps, so that they show as much.

    Raises:
        CutError: They differ, or the comparison could not have told.
    """
    if may_shrink and size_px > _CHECKED_SIZE_PX:
        try:
            _run_both(model, finish, prefix, suffix, _CHECKED_SIZE_PX)
        except CutError:
            raise
        except Exception:  # some module inside takes no such size
            pass
        else:
            return
    _run_both(model, finish, prefix, suffix, size_px)


def _run_both(
    model: nn.Module, finish: Finish, prefix: Segment, suffix: Segment, size_px: int
) -> None:
    like = next(model.parameters())
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(_CHECKED_BATCH, 3, size_px, size_px, generator=generator)
    images = images.to(device=like.device, dtype=like.dtype)
    kept = images.clone()
    with torch.no_grad(), held_in_eval(model):
        whole = finish.of(model, images.clone())
        given = prefix.run(images)
        prefix.clones_input = not torch.equal(images, kept)
        parts = given if isinstance(given, list) else [given]
        packed = prefix.plan.packed
        handed = pack(parts, packed) if packed else given
        before = handed.clone()
        features = suffix(handed)
        suffix.clones_input = not torch.equal(handed, before)
        # A kept output comes back with its axes in plain order, and other kernels round otherwise:
        # batch statistics do, even where evaluation comes out equal.
        if not all(part.is_contiguous() for part in parts):
            suffix.layouts = tuple(layout_of(part) for part in parts)
            features = suffix(before.contiguous())
        _compare(whole, features)
        # Where one row of a packed tensor is not one image, rows cannot be kept and mixed.
        if packed and not torch.allclose(suffix(before.flip(0)), whole.flip(0), _RTOL, _ATOL):
            raise CutError("the rows of what passes the boundary are not images")


def _compare(whole: Tensor, features: Tensor) -> None:
    if features.shape != whole.shape:
        raise CutError(f"the parts give {tuple(features.shape)}, the model {tuple(whole.shape)}")
    if not bool(torch.isfinite(whole).all()):
        raise CutError("the model gives no finite numbers, so equality cannot be shown")
    if not torch.equal(features, whole):
        gap = float((features - whole).abs().max())
        raise CutError(f"the parts differ from the model by up to {gap:.2g}")
    if torch.equal(features[0], features[1]):
        raise CutError("the model gives the same for two images, so equality shows nothing")
