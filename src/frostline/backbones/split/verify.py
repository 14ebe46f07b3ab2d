"""Verifying a cut: both parts and the model run on the same images and are compared bit by bit."""

import torch
from torch import Tensor, nn

from frostline.backbones.meta_device import eval_mode
from frostline.backbones.pooling import OutputPooling
from frostline.backbones.split.crossing import CutError, axis_order, pack
from frostline.backbones.split.model_part import ModelPart

_SMALL_SIZE_PX = 96
_BATCH = 2
_RTOL = 1e-3
_ATOL = 1e-4


def verify_cut(
    model: nn.Module,
    pooling: OutputPooling,
    prefix: ModelPart,
    suffix: ModelPart,
    shape: tuple[int, int, int],
    *,
    may_shrink: bool,
) -> None:
    """Compare the two parts with the model on a batch of images, bit by bit.

    It also finds whether a part overwrites its input, and makes the part copy it first.

    Args:
        model: The model.
        pooling: What is done with its output.
        prefix: Its first part.
        suffix: Its second part.
        shape: Channels, height and width of its input.
        may_shrink: Whether smaller images take the same steps and so verify as much.

    Raises:
        CutError: They differ, or the comparison shows nothing.
    """
    channels, height_px, width_px = shape
    if may_shrink and min(height_px, width_px) > _SMALL_SIZE_PX:
        try:
            small = (channels, _SMALL_SIZE_PX, _SMALL_SIZE_PX)
            _run_and_compare(model, pooling, prefix, suffix, small)
        except CutError:
            raise
        except Exception:  # some module inside does not take this size
            pass
        else:
            return
    _run_and_compare(model, pooling, prefix, suffix, shape)


def _run_and_compare(
    model: nn.Module,
    pooling: OutputPooling,
    prefix: ModelPart,
    suffix: ModelPart,
    shape: tuple[int, int, int],
) -> None:
    like = next(model.parameters())
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(_BATCH, *shape, generator=generator)
    images = images.to(device=like.device, dtype=like.dtype)
    original_images = images.clone()
    with torch.no_grad(), eval_mode(model):
        expected = pooling.run(model, images.clone())
        outputs = prefix.run(images)
        prefix.clones_input = not torch.equal(images, original_images)
        tensors = outputs if isinstance(outputs, list) else [outputs]
        packed = prefix.program.packed
        crossing = pack(tensors, packed) if packed else outputs
        original_crossing = crossing.clone()
        features = suffix(crossing)
        suffix.clones_input = not torch.equal(crossing, original_crossing)
        # A stored output is read back with its axes in plain order, for which other kernels round
        # differently: batch statistics do, even where evaluation is equal.
        if not all(tensor.is_contiguous() for tensor in tensors):
            suffix.input_axis_orders = tuple(axis_order(tensor) for tensor in tensors)
            features = suffix(original_crossing.contiguous())
        _compare(expected, features)
        # Where a row of a packed tensor is not one image, rows cannot be stored and reordered.
        if packed:
            reordered = suffix(original_crossing.flip(0))
            if not torch.allclose(reordered, expected.flip(0), _RTOL, _ATOL):
                raise CutError("the rows of what crosses the boundary are not images")


def _compare(expected: Tensor, features: Tensor) -> None:
    if features.shape != expected.shape:
        raise CutError(
            f"the parts return {tuple(features.shape)}, the model {tuple(expected.shape)}"
        )
    if not bool(torch.isfinite(expected).all()):
        raise CutError("the model returns values that are not finite, so equality shows nothing")
    if not torch.equal(features, expected):
        gap = float((features - expected).abs().max())
        raise CutError(f"the parts differ from the model by up to {gap:.2g}")
    if torch.equal(features[0], features[1]):
        raise CutError("the model returns the same for two images, so equality shows nothing")
